"""Behaviour histories as padded vectors, the input of every plug."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import torch

from methods.models.embedding_store import EmbeddingStore
from tasks.common.dates import Instant, sort_keys
from tasks.example import Behavior, Example, newest_first
from tasks.task import Task


@dataclass(frozen=True)
class Batch:
    """Examples with their encoded histories.

    Attributes:
        examples: B examples, their histories as the method uses them (cut, sub-sampled).
        vectors: [B, N, D] frozen history embeddings, zero where `mask` is False.
        mask: [B, N], True for a behaviour, False for padding.
        ages: [B, N], the share of the history that is newer, in [0, 1); None unless the plug reads
            them.
        elapsed: [B, N], log(1 + days) from a behaviour to the newest one, see `elapsed_of`; None
            unless the plug reads them.
        queries: [B, D], frozen vectors of the examples' subjects; None unless the plug reads them.
        tokens: [B, n, H], the users' soft tokens if they were computed earlier and replace
            `vectors`.
    """

    examples: Sequence[Example]
    vectors: torch.Tensor
    mask: torch.Tensor
    ages: torch.Tensor | None = None
    queries: torch.Tensor | None = None
    tokens: torch.Tensor | None = None
    elapsed: torch.Tensor | None = None

    def mean(self) -> torch.Tensor:
        """Mean history embedding [B, D]; zero for an empty history."""
        counts = self.mask.sum(1, keepdim=True).clamp(min=1)
        return self.vectors.sum(1) / counts


class HistoryEncoder:
    """Frozen vectors of histories, each distinct text encoded once (h_i = Enc_his(h_i)).

    Args:
        labels: whether a behaviour's text includes its response (methods.md §1.2).
        ages, elapsed: whether batches carry them.
    """

    def __init__(
        self,
        store: EmbeddingStore,
        task: Task,
        *,
        labels: bool,
        ages: bool,
        elapsed: bool = False,
    ) -> None:
        self.store, self.task, self.labels = store, task, labels
        self.ages, self.elapsed = ages, elapsed
        self._rows: dict[str, int] = {}

    def text(self, behavior: Behavior) -> str:
        """What the encoder reads of a behaviour."""
        return self.task.history_text(behavior, labels=self.labels)

    def prepare(self, examples: Sequence[Example]) -> None:
        """Encode all history texts of `examples` that are not stored yet, in one pass."""
        texts = {self.text(behavior) for example in examples for behavior in example.history}
        new = sorted(texts - self._rows.keys())
        rows = self.store.rows(new, side="document")
        self._rows |= dict(zip(new, rows.tolist(), strict=True))

    def distinct(self, examples: Sequence[Example]) -> npt.NDArray[np.float32]:
        """The vectors of the distinct texts in the histories of `examples`: [N, D], by text."""
        self.prepare(examples)
        texts = {self.text(behavior) for example in examples for behavior in example.history}
        return np.asarray(self.store.matrix[[self._rows[text] for text in sorted(texts)]])

    def vectors(self, example: Example) -> npt.NDArray[np.float32]:
        """[len(history), D]; the example must have been prepared."""
        rows = [self._rows[self.text(behavior)] for behavior in example.history]
        return np.asarray(self.store.matrix[rows])

    def batch(
        self,
        examples: Sequence[Example],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> Batch:
        """The padded vectors of B prepared examples."""
        longest = max((len(example.history) for example in examples), default=0)
        shape = (len(examples), max(1, longest))
        vectors = np.zeros((*shape, self.store.encoder.dimension), np.float32)
        mask, ages, elapsed = np.zeros(shape, np.bool_), np.zeros(shape), np.zeros(shape)
        for row, example in enumerate(examples):
            count = len(example.history)
            if count:
                vectors[row, :count] = self.vectors(example)
                mask[row, :count] = True
                if self.ages:
                    ages[row, :count] = ages_of(example.history)
                if self.elapsed:
                    elapsed[row, :count] = elapsed_of(example.history)
        return Batch(
            examples,
            torch.from_numpy(vectors).to(device, dtype),
            torch.from_numpy(mask).to(device),
            torch.from_numpy(ages).to(dtype).to(device) if self.ages else None,
            elapsed=torch.from_numpy(elapsed).to(dtype).to(device) if self.elapsed else None,
        )


def subset(example: Example, kept: Collection[int]) -> Example:
    """The example with only these behaviours of its history, in their original order."""
    history = tuple(b for i, b in enumerate(example.history) if i in kept)
    return replace(example, history=history)


def ages_of(history: Sequence[Behavior]) -> npt.NDArray[np.float64]:
    """The share of a history that is newer than each behaviour: [len(history)]; the newest is 0."""
    ages = np.empty(len(history))
    ages[newest_first(history)] = np.arange(len(history)) / len(history)
    return ages


def elapsed_of(history: Sequence[Behavior]) -> npt.NDArray[np.float64]:
    """log(1 + days) from each behaviour to the newest dated one: [len(history)].

    A year or month counts from its first day. Undated behaviours are as old as the oldest dated
    one, as for `newest_first`. Where no behaviour has a date, or dates are numbers that only order
    the items, all are 0.
    """
    moments = [_moment(instant) for instant in sort_keys([b.date for b in history])]
    dated = [moment for moment in moments if moment is not None]
    if not dated:
        return np.zeros(len(history))
    newest, oldest = max(dated), min(dated)
    days = [(newest - (oldest if m is None else m)) / timedelta(days=1) for m in moments]
    return np.log1p(days)


def _moment(instant: Instant) -> datetime | None:
    """The moment of a key of `sort_keys`; None for a missing date or a position."""
    if not instant or not 1000 <= instant[0] <= 9999:
        return None
    year, month, day, hour, minute, second, microsecond = instant
    return datetime(year, month, day, hour, minute, second, microsecond)
