"""Connections between the processes that a launcher has started, and how an error ends all.

Every exchange starts with one sum over all processes, always of the same three numbers, the last of
which counts failures. A process that fails joins the others' next exchange with its error, wherever
they are; then the error is passed around, and all raise it. A process that dies closes its
connections, which ends the others' exchange.
"""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch

from methods.models.processes import ALONE, LostProcessError, Processes, RemoteError
from tasks.common import errors
from tasks.common.errors import BenchError, ConfigError
from tasks.common.launch import count_launched

T = TypeVar("T")

PATIENCE = timedelta(days=30)
"""For the others of an exchange: they may compute, or wait for a lock, as long as they live."""


class _Together(Processes):
    """Processes that a launcher has started; their connections must be open.

    Args:
        exchange: a group of gloo connections, for what lies in main memory.
    """

    def __init__(self, exchange: Any) -> None:
        self.rank = torch.distributed.get_rank()
        self.number = torch.distributed.get_world_size()
        self._exchange = exchange
        self._known: BaseException | None = None

    def add(self, first: float = 0.0, second: float = 0.0) -> tuple[float, float]:
        return self._meet(first, second, None)

    def _meet(self, first: float, second: float, error: Exception | None) -> tuple[float, float]:
        sums = torch.tensor([first, second, float(error is not None)], dtype=torch.float64)
        with _noticing_loss():
            torch.distributed.all_reduce(sums, group=self._exchange)
        first, second, failures = sums.tolist()
        if failures:
            self._raise_first(error)
        return first, second

    def _raise_first(self, own: Exception | None) -> NoReturn:
        """Raise, in all processes, the error of the first that failed."""
        found = self._gather(None if own is None else _describe(own))
        rank, error = next((rank, error) for rank, error in enumerate(found) if error is not None)
        if own is None or rank != self.rank:
            self._known = _rebuild(error, rank, self.number)
            raise self._known
        self._known = own
        raise own

    def share(self, value: T) -> T:
        return self.gather(value if self.is_main else None)[0]  # type: ignore[return-value]

    def gather(self, value: T) -> list[T]:
        self.wait()
        return self._gather(value)

    def _gather(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.number
        with _noticing_loss():
            torch.distributed.all_gather_object(found, value, group=self._exchange)
        return found

    def add_gradients(self, weights: Sequence[torch.Tensor]) -> None:
        self.wait()
        used = torch.tensor([weight.grad is not None for weight in weights], dtype=torch.int32)
        with _noticing_loss():
            torch.distributed.all_reduce(used, group=self._exchange)
            sums = []
            for weight, any_use in zip(weights, used.tolist(), strict=True):
                if any_use:
                    if weight.grad is None:
                        weight.grad = torch.zeros_like(weight)
                    sums.append(
                        torch.distributed.all_reduce(
                            weight.grad, group=self._group_of(weight), async_op=True
                        )
                    )
            for handle in sums:
                handle.wait()

    def copy_from_main(self, weights: Sequence[torch.Tensor]) -> None:
        self.wait()
        with _noticing_loss():
            for weight in weights:
                torch.distributed.broadcast(weight.detach(), 0, group=self._group_of(weight))

    def _group_of(self, tensor: torch.Tensor) -> Any:
        """The connections for tensors on that device; None: the launcher's own, between GPUs."""
        if tensor.device.type not in {"cpu", "cuda"}:
            raise ConfigError(
                f"several processes can't train together on {tensor.device}",
                hint='Set device = "cpu", or start one process',
            )
        return self._exchange if tensor.device.type == "cpu" else None

    @contextmanager
    def united(self) -> Iterator[None]:
        try:
            yield
            self.wait()
        except Exception as error:
            if error is not self._known and not isinstance(error, LostProcessError):
                self._meet(0.0, 0.0, error)
            raise


@contextmanager
def join() -> Iterator[Processes]:
    """Connect the processes that `accelerate launch` or torchrun started; `ALONE` without one.

    Each uses a GPU of its own where there are GPUs (nccl), else the CPU (gloo).

    Raises ConfigError where they can't be connected.
    """
    if count_launched() == 1:
        yield ALONE
        return
    from accelerate import PartialState

    try:
        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
        exchange = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise ConfigError(
            f"the {count_launched()} processes can't be connected ({str(error).splitlines()[0]})",
            hint="Start as many as there are GPUs; set GLOO_SOCKET_IFNAME and NCCL_SOCKET_IFNAME "
            "to the network interface that they share (lo on one machine)",
        ) from error
    try:
        yield _Together(exchange)
    finally:
        torch.distributed.destroy_process_group()
        PartialState._reset_state()  # else the next `join` would find it closed


@contextmanager
def _noticing_loss() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # torch.distributed's errors are RuntimeErrors
        raise LostProcessError(
            f"another process of this run has ended ({str(error).splitlines()[0]})",
            hint="See its message, and run the same command again: finished cells are kept",
        ) from error


def _describe(error: Exception) -> tuple[str, tuple[Any, ...]]:
    """An error as plain values: an error that some class alone can unpickle would be lost."""
    if isinstance(error, BenchError):
        return type(error).__name__, (error.what, error.hint, error.file, error.id)
    return "", ("".join(traceback.format_exception(error)),)


def _rebuild(described: tuple[str, tuple[Any, ...]], rank: int, number: int) -> Exception:
    name, parts = described
    if not name:
        return RemoteError(f"process {rank + 1} of {number} failed:\n{parts[0]}")
    what, hint, file, id = parts
    kind = getattr(errors, name, BenchError)
    made: BenchError = kind(what, hint=hint, file=file, id=id)
    return made
