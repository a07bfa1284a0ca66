"""How many examples share a forward pass, found by trying, and in which order they go."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size

from tasks.common.errors import ModelError

R = TypeVar("R")
FIRST_TRY = 64
LOWER = 'Lower the batch size, or set it to "auto"'


class BatchSize:
    """Examples a forward pass: a fixed number, or "auto".

    "auto" starts at 64, halves whenever memory runs out, and stays there.

    Args:
        hint: what to do if a fixed size doesn't fit, for the error.
    """

    def __init__(self, asked: int | Literal["auto"], hint: str = LOWER) -> None:
        self.hint = hint
        self.size = FIRST_TRY if asked == "auto" else asked
        self._may_halve = asked == "auto"

    def fit(self, work: Callable[[int], R]) -> R:
        """`work(size)`, from the start again with half the size whenever it runs out of memory.

        Raises ModelError where a fixed size, or one single example, doesn't fit.
        """
        while True:
            try:
                return work(self.size)
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                if self.size == 1:
                    raise ModelError(
                        "one example alone does not fit in memory",
                        hint="Take a smaller model, dtype or max_input_tokens",
                    ) from error
                if not self._may_halve:
                    raise ModelError(
                        f"a batch of {self.size} does not fit in memory",
                        hint=self.hint,
                    ) from error
            # Outside the handler: the traceback would keep the failed pass's tensors alive.
            self.size //= 2
            clear_device_cache(garbage_collection=True)


def in_batches(
    lengths: Sequence[int], size: BatchSize, forward: Callable[[Sequence[int]], Sequence[R]]
) -> list[R]:
    """`forward` over all rows, the longest first so that memory runs out early or never.

    Args:
        lengths: of each row, in tokens.
        forward: row indices → one result a row, in that order.

    Returns:
        One result per row, in the order of `lengths`.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    results: dict[int, R] = {}
    while len(results) < len(order):
        left = order[len(results) :]
        rows, found = size.fit(lambda n, left=left: (left[:n], forward(left[:n])))  # type: ignore[misc]
        results.update(zip(rows, found, strict=True))
    return [results[row] for row in range(len(lengths))]


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)
