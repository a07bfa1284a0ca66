"""The data of a declared task: its file read once, split, checked, and turned into Datasets."""

import dataclasses
from functools import cached_property
from typing import Any

from tasks.common.errors import DataError
from tasks.common.files import content_key
from tasks.common.numbering import count
from tasks.data.document import Document
from tasks.data.layout import SetName, SplitName
from tasks.data.validation import build_example, read_golds
from tasks.example import Behavior, Dataset, Example
from tasks.table.config import TableConfig
from tasks.table.labels import choose_labels
from tasks.table.reading import Table, read_table, sha256_of_table
from tasks.table.rows import Row, Rows, convert_rows
from tasks.table.splitting import Query, Splits, group_by_user, is_earlier, split_rows
from tasks.templates.lamp_task import LaMPTask

VERSION = 2
"""Increased whenever the same file and declaration give different queries."""
MOST_SHOWN = 50
"""Labels that a message lists at most."""


class TableData:
    """The data of one declared task under one split; the file is read at first use.

    Args:
        name: the task's name.
        split: "time" divides each user's rows, "user" the users.
    """

    def __init__(self, name: str, config: TableConfig, split: SplitName) -> None:
        self.name, self.config, self.split = name, config, split

    @cached_property
    def table(self) -> Table:
        """The cells of the file."""
        return read_table(self.config.file, self.config.encoding)

    @cached_property
    def rows(self) -> Rows:
        """The usable rows, and the faults of the others."""
        return convert_rows(self.table, self.config)

    @cached_property
    def splits(self) -> Splits:
        """The queries of every set."""
        return split_rows(self.rows.rows, self.config, self.split)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The closed set of answers: listed, or those of all rows but dev and test queries."""
        asked = {query.row.number for set in ("dev", "test") for query in self.splits.queries[set]}
        known = (row.output for row in self.rows.rows if row.number not in asked)
        return choose_labels(self.config, known)

    def fingerprint(self, set: SetName, limit: int | None = None) -> str:
        """The `fingerprint` of what `load` returns: a hash of file, declaration, split and limit.

        Raises DataError if the file can't be read.
        """
        parts = [VERSION, sha256_of_table(self.config.file), self.config.digest, self.split]
        return content_key([*parts, set, limit], length=64)

    def load(self, task: LaMPTask, set: SetName, limit: int | None = None) -> Dataset:
        """The first `limit` queries of a set, checked as LaMP's files are.

        Raises DataError: the file is missing or faulty, a label is unknown, or there is no query.
        """
        self.require_usable()
        queries = self.splits.queries[set][:limit]
        if not queries:
            raise self._explain_empty(set)
        hint = f"Correct the row; `bench data preview {self.name}` shows it"
        document = Document(self.config.file, None, self.table.sha256, hint)
        behaviors: dict[int, Behavior] = {}
        examples = tuple(_build(query, task, document, behaviors) for query in queries)
        self._require_known_labels(set, queries)
        outputs = [{"id": query.row.id, "output": query.row.output} for query in queries]
        value = {"task": task.official_name(), "golds": outputs}
        golds = read_golds(dataclasses.replace(document, value=value), task)
        return Dataset(
            task=task.name,
            set=set,
            examples=examples,
            golds=golds,
            fingerprint=self.fingerprint(set, limit),
            attributes={query.row.id: dict(query.row.attributes) for query in queries}
            if self.config.attributes
            else {},
        )

    def require_usable(self) -> None:
        """Raise DataError for faulty rows, unless they are dropped, and for ambiguous times."""
        for fault in self.rows.dates.faults if self.rows.dates else ():
            if fault.kind != "unreadable-dates":
                raise DataError(
                    f"column {self.config.time!r} holds {fault.kind.replace('-', ' ')}, such as "
                    f"{' and '.join(map(repr, fault.values[:2]))}",
                    file=self.config.file,
                    hint=f'Write dates = "day-first" or dates = "month-first" in '
                    f"[tasks.{self.name}], or a format such as %d/%m/%Y",
                )
        faults = self.rows.faults
        if faults and self.config.faulty_rows == "error":
            first = faults[0]
            raise DataError(
                f"{len(faults)} of {count(len(self.table.rows), 'row')} can't be used: "
                f"row {first.number} {first.what}",
                file=self.config.file,
                hint=f"Correct them (`bench data preview {self.name}` lists them), or leave them "
                f'out: faulty_rows = "drop" in [tasks.{self.name}]',
            )

    def _explain_empty(self, set: SetName) -> DataError:
        short, least = self.splits.too_short[set], self.config.min_history
        wanted = getattr(self.config, set)
        if wanted == 0:
            what, hint = f"the {set} set of {self.name} is empty", f"Set {set} = 1 or more"
        elif self.split == "user" and not short:
            what = f"too few users for a {set} set of {self.name}"
            hint = 'Split by time (split = "time" in the suite), or set user_shares'
        else:
            what = f"no user has {count(least, 'row')} before a {set} query of {self.name}"
            hint = "Set dev, test or min_history lower, or name the column that tells users apart"
            if self._lacks_times(least):
                hint = (
                    "Rows of one time are no history of each other: give times that differ, or "
                    "leave `time` out where the rows stand in order"
                )
        return DataError(what, file=self.config.file, hint=f"{hint} in [tasks.{self.name}]")

    def _lacks_times(self, least: int) -> bool:
        """Whether users have rows enough, but too few that are earlier than their newest one."""
        enough = [own for own in group_by_user(self.rows.rows).values() if len(own) > least]
        return (
            self.config.time is not None
            and bool(enough)
            and all(
                sum(is_earlier(row.time, own[-1].time) for row in own) < least for own in enough
            )
        )

    def _require_known_labels(self, set: SetName, queries: tuple[Query, ...]) -> None:
        """Labels that only evaluated rows hold can't be inferred without looking at the golds."""
        unknown = [
            query.row for query in queries if self.labels and query.row.output not in self.labels
        ]
        if unknown:
            listed = choose_labels(self.config, (row.output for row in self.rows.rows))
            text = ", ".join(f'"{label}"' for label in listed[:MOST_SHOWN])
            row = unknown[0]
            raise DataError(
                f"{len(unknown)} {set} queries have labels that no train row has, such as row "
                f"{row.number}: {row.output!r}",
                file=self.config.file,
                id=row.id,
                hint=f"List the labels in [tasks.{self.name}]: labels = [{text}"
                + (", …]" if len(listed) > MOST_SHOWN else "]"),
            )


def _build(
    query: Query, task: LaMPTask, document: Document, behaviors: dict[int, Behavior]
) -> Example:
    row = query.row
    raw: dict[str, Any] = {
        "id": row.id,
        "user_id": row.user,
        "input": f"{task.instruction} {row.input}",
        "date": row.date,
        "profile": [],
    }
    example = build_example(raw, row.id, task, document, {})
    for item in query.history:
        if item.number not in behaviors:
            behaviors[item.number] = task.behavior(_as_item(item))
    history = tuple(behaviors[item.number] for item in query.history)
    return dataclasses.replace(example, history=history)


def _as_item(row: Row) -> dict[str, str | None]:
    return {"id": row.id, "text": row.input, "output": row.output, "date": row.date}
