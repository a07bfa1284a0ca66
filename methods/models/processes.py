"""What processes that run a cell together tell each other. Imports no torch.

All of them follow the same path: they load the models, train on parts of each batch, answer parts
of the queries. Process 0, the main one, alone writes results. `methods.models.together` has the
connections between them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from tasks.common.errors import BenchError

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


class LostProcessError(BenchError):
    """Another process of the run has died, or can't be reached."""


class RemoteError(Exception):
    """An error of another process, not a BenchError; its text holds that process's traceback."""


class Processes:
    """The processes that run a cell together, as one of them sees them; here it is alone.

    Attributes:
        rank: this process's number; 0 is the main process, which alone writes results.
        number: of processes.
    """

    rank = 0
    number = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes results."""
        return self.rank == 0

    def add(self, first: float = 0.0, second: float = 0.0) -> tuple[float, float]:
        """The sums of two numbers over all processes. All of them must call it.

        Raises the error of a process that has failed, or LostProcessError.
        """
        return first, second

    def wait(self) -> None:
        """Return when all processes have come here. Raises as `add` does."""
        self.add()

    def share(self, value: T) -> T:
        """The main process's `value`, in every process. Raises as `add` does."""
        return value

    def gather(self, value: T) -> list[T]:
        """Every process's `value`, in the order of their ranks. Raises as `add` does."""
        return [value]

    def add_gradients(self, weights: "Sequence[torch.Tensor]") -> None:
        """Replace each weight's gradient by its sum over all processes; None where all have None.

        Raises as `add` does.
        """

    def copy_from_main(self, weights: "Sequence[torch.Tensor]") -> None:
        """Overwrite `weights` with the main process's. Raises as `add` does."""

    @contextmanager
    def united(self) -> Iterator[None]:
        """All processes leave the block together: normally, or with the error of one of them."""
        yield

    def part_of(self, rows: Sequence[T]) -> Sequence[T]:
        """Every `number`-th of `rows`, from `rank` on: of rows sorted by length, an equal share."""
        return rows[self.rank :: self.number]


ALONE = Processes()
