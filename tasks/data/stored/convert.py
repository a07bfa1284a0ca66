"""Converts the files of a set into Arrow tables, if nothing about them needs to be reported."""

import gc
import hashlib
import marshal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks.data.document import Document
from tasks.data.normalizing import normalize, read_date
from tasks.data.stored.histories import BATCH, SCHEMA
from tasks.data.stored.rows import UnevenError, stream_rows
from tasks.data.validation import build_example, index_by_id, match_ids, read_history
from tasks.example import Behavior, Example
from tasks.task import Task

BEHAVIORS, EXAMPLES, DATES = "behaviors.arrow", "examples.arrow", "dates.arrow"
FIELDS = ("id", "user_id", "input", "query", "subject", "date")
"""Of an Example, without its history."""
_NO_EXAMPLE = ("", "", "", "", "")


@dataclass(frozen=True)
class Source:
    """What is converted.

    Attributes:
        questions: the file and the digest of its bytes; its value isn't read yet.
        golds: id → gold; None for a test set without outputs.
        known: ids of the official rows that are known to be faulty.
        keep: whether these rows are kept.
        dates: see `tasks.data.loading.load_dataset`.
    """

    task: Task
    questions: Document
    golds: dict[str, str] | None
    known: frozenset[str]
    keep: bool
    dates: str | None


@contextmanager
def pause_collector() -> Iterator[None]:
    """No search for cycles of objects, which millions of JSON objects without any slow down."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@pause_collector()
def convert(source: Source, folder: Path) -> None:
    """Write the examples, behaviours and dates of a set to `folder`.

    Rows are read one by one. A behaviour that several histories share is written once.

    Raises:
        UnevenError: something about the file must be reported, or it is no plain JSON list.
        DataError, UnicodeDecodeError: the file is faulty; the plain reader says how.
        OSError: it can't be read, or the folder not written.
    """
    rows = index_by_id(stream_rows(source.questions.path), source.questions, "question")
    examples: list[tuple[str | None, ...]] = []
    histories: list[npt.NDArray[np.int32]] = []
    dates = _Dates(source)
    asked: dict[str, None] = {}
    with _BehaviorFile(folder / BEHAVIORS, source.task, dates) as behaviors:
        for id, row in rows:
            asked[id] = None
            corrupt = id in source.known
            if corrupt and not source.keep:
                continue
            found = read_history(row, source.questions, id, behaviors.find)
            histories.append(np.fromiter(found, np.int32))
            example = build_example(row, id, source.task, source.questions, (), corrupt=corrupt)
            examples.append(tuple(getattr(example, name) for name in FIELDS))
            dates.add(row, example.date)
    if source.golds is not None:
        match_ids(source.questions, asked, source.golds)
    changed = dates.normalize()
    columns = dict(zip(FIELDS, zip(*examples, strict=True), strict=True))
    columns["date"] = tuple(changed.get(date, date) for date in columns["date"])
    if source.golds is not None:
        columns["gold"] = tuple(source.golds[str(id)] for id in columns["id"])
    ends = np.cumsum([0, *map(len, histories)])
    rows_of = pa.LargeListArray.from_arrays(ends, np.concatenate(histories))
    table = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    _write(folder / EXAMPLES, pa.table({**table, "rows": rows_of}))
    texts = {"raw": list(changed), "text": list(changed.values())}
    _write(folder / DATES, pa.table({k: pa.array(v, pa.string()) for k, v in texts.items()}))


class _Dates:
    """The distinct dates and labels of a set, which together decide how each is read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._labels = bool(source.task.labels) and source.task.history_has_labels
        self._pairs: dict[tuple[str | None, str | None], None] = {}
        self._raw: dict[object, None] = {}

    def add(self, raw: Mapping[str, Any], date: str | None, response: str | None = None) -> None:
        """Note the date and label of a row or profile item, as they stand in the file and read."""
        self._pairs[date, response if self._labels else None] = None
        given = read_date(raw)
        if given is not None:
            self._raw[given] = None

    def normalize(self) -> dict[str | None, str | None]:
        """Date as given → in ISO 8601, where they differ.

        Raises UnevenError where a date or label is to be reported.
        """
        stand_ins = [Behavior("", "", "", label, date) for date, label in self._pairs]
        example = Example(*_NO_EXAMPLE, history=tuple(stand_ins))
        rows = ({"date": date} for date in self._raw)
        found = normalize(self._source.task, "", [example], stand_ins, rows, self._source.dates)
        if found.findings:
            raise UnevenError
        return {
            old.date: new.date
            for old, new in zip(stand_ins, found.examples[0].history, strict=True)
            if old.date != new.date
        }


class _BehaviorFile:
    """Writes the distinct behaviours of a set in batches of `BATCH`."""

    def __init__(self, path: Path, task: Task, dates: _Dates) -> None:
        self._writer = pa.ipc.new_file(str(path), SCHEMA)
        self._task, self._dates = task, dates
        self._known: dict[bytes, tuple[str, int]] = {}
        self._waiting: list[tuple[str | None, ...]] = []

    def find(self, raw: dict[str, Any]) -> tuple[str, int]:
        """The id and row of a profile item; one that is new is read and written."""
        # Equal bytes are equal items. Not the reverse (a field's place counts): such an item is
        # merely written twice. Version 0 is without references, which depend on what else lives.
        key = hashlib.sha256(marshal.dumps(raw, 0)).digest()[:16]
        known = self._known.get(key)
        if known is None:
            item = self._task.behavior(raw)
            known = self._known[key] = item.id, len(self._known)
            self._dates.add(raw, item.date, item.response)
            content = None if item.content == item.text else item.content
            self._waiting.append((item.id, item.text, content, item.response, item.date))
            if len(self._waiting) == BATCH:
                self._flush()
        return known

    def _flush(self) -> None:
        columns = zip(*self._waiting, strict=True)
        arrays = [pa.array(column, pa.string()) for column in columns]
        self._writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            self._flush()
        self._writer.close()


def _write(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)
