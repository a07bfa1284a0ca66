"""Batch sizes found by trial, and rows processed in batches of like length."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import torch

from tasks.common.errors import ModelError

R = TypeVar("R")
FIRST_TRY = 64
LOWER = 'Lower the batch size, or set it to "auto"'


class BatchSize:
    """Number of examples per forward pass: fixed, or "auto".

    "auto" starts at 64 and is halved, permanently, whenever memory runs out.

    Args:
        hint: what to do if a fixed size doesn't fit, for the error.

    Attributes:
        size: the present number.
    """

    def __init__(self, wanted: int | Literal["auto"], hint: str = LOWER) -> None:
        self.hint = hint
        self.size = FIRST_TRY if wanted == "auto" else wanted
        self._may_halve = wanted == "auto"

    def fit(self, work: Callable[[int], R]) -> R:
        """The result of `work(size)`, restarted with half the size whenever memory runs out.

        Raises ModelError where a fixed size, or a single example, doesn't fit.
        """
        while True:
            try:
                return work(self.size)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                if self.size == 1:
                    raise ModelError(
                        "a single example does not fit in memory",
                        hint="Use a smaller model, dtype or max_input_tokens",
                    ) from error
                if not self._may_halve:
                    raise ModelError(
                        f"a batch of {self.size} does not fit in memory",
                        hint=self.hint,
                    ) from error
            from accelerate.utils.memory import clear_device_cache

            # Outside the handler, whose traceback would keep the failed pass's tensors alive.
            self.size //= 2
            clear_device_cache(garbage_collection=True)


def in_batches(
    lengths: Sequence[int],
    size: BatchSize,
    forward: Callable[[Sequence[int]], Sequence[R]],
    *,
    copies: int = 1,
) -> list[R]:
    """Apply `forward` to all rows, longest first so that memory runs out early or never.

    Args:
        lengths: of the rows, in tokens.
        forward: row indices → one result per row, in that order.
        copies: of each row that `forward` makes, so that a batch holds fewer rows.

    Returns:
        One result per row, in the order of `lengths`.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    results: dict[int, R] = {}
    while len(results) < len(order):
        left = order[len(results) :]
        rows, found = size.fit(
            lambda n, left=left: (  # type: ignore[misc]
                chosen := left[: max(1, n // copies)],
                forward(chosen),
            )
        )
        results.update(zip(rows, found, strict=True))
    return [results[row] for row in range(len(lengths))]


def _is_out_of_memory(error: RuntimeError) -> bool:
    from accelerate.utils.memory import should_reduce_batch_size  # slow, and seldom needed

    return isinstance(error, torch.OutOfMemoryError) or should_reduce_batch_size(error)
