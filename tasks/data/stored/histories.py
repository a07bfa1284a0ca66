"""Histories that are read from a memory-mapped table when they are used."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.example import Behavior

BATCH = 1 << 14
"""Behaviours of a record batch; only the last has fewer."""
SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "text", "content", "response", "date")])
"""A behaviour's fields; `content` is null where it equals `text`."""
_RECENT = 64  # histories kept as objects, about 25 MB at LaMP-3's size


class HistoryTable:
    """The behaviours of a set, memory-mapped, and the rows of each history.

    Args:
        path: Arrow file of `SCHEMA` in batches of `BATCH`.
        rows: the rows of all histories, one after the other.
        ends: where each history ends in `rows`.
        dates: a date as the file writes it → as loading does, where they differ.
    """

    def __init__(
        self,
        path: Path,
        rows: npt.NDArray[np.int32],
        ends: npt.NDArray[np.int64],
        dates: dict[str, str | None],
    ) -> None:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        self._batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        self._rows, self._ends, self._dates = rows, ends, dates
        self.read: Callable[[int], tuple[Behavior, ...]] = lru_cache(_RECENT)(self._read)

    def histories(self, count: int) -> list["StoredHistory"]:
        """The first `count` histories; no behaviour is read."""
        starts = np.concatenate([[0], self._ends[:count]])
        lengths = np.diff(starts).tolist()
        return [StoredHistory(self, number, length) for number, length in enumerate(lengths)]

    def _read(self, number: int) -> tuple[Behavior, ...]:
        """The behaviours of a history."""
        start = self._ends[number - 1] if number else 0
        rows = self._rows[start : self._ends[number]]
        found: list[Behavior | None] = [None] * len(rows)
        batches = rows // BATCH
        for batch in np.unique(batches):
            places = np.flatnonzero(batches == batch)
            taken = self._batches[batch].take(pa.array(rows[places] % BATCH))
            columns = (column.to_pylist() for column in taken.columns)
            for place, (id, text, content, response, date) in zip(
                places.tolist(), zip(*columns, strict=True), strict=True
            ):
                found[place] = Behavior(
                    id,
                    text,
                    text if content is None else content,
                    response,
                    self._dates.get(date, date),
                )
        return tuple(behavior for behavior in found if behavior is not None)


class StoredHistory(Sequence[Behavior]):
    """A history that takes no memory until it is used; equal to the tuple of its behaviours."""

    __slots__ = ("_length", "_number", "_table")

    def __init__(self, table: HistoryTable, number: int, length: int) -> None:
        self._table, self._number, self._length = table, number, length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> Behavior: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Behavior, ...]: ...
    def __getitem__(self, place: int | slice) -> Behavior | tuple[Behavior, ...]:
        return self._table.read(self._number)[place]

    def __iter__(self) -> Iterator[Behavior]:
        return iter(self._table.read(self._number))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredHistory):
            same = self._table is other._table and self._number == other._number
            return same or tuple(self) == tuple(other)
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (tuple(self),)
