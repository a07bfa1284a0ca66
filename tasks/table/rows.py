"""A table's cells → rows with a user, an input and an output, and what is wrong with the others."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.common.dates import DateColumn, read_dates
from tasks.common.errors import DataError
from tasks.common.instants import Instant
from tasks.common.labels import LabelReader
from tasks.table.cells import RawRow
from tasks.table.config import TableConfig
from tasks.table.reading import Table
from tasks.task import Kind
from tasks.templates.fields import is_encodable

UNSAFE = re.compile(r"[%/\\\x00-\x1f\x7f]")
WHOLE = re.compile(r"-?\d+")
LARGEST = 1e15
"""Numbers from here on are no answers on a scale."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text of a user, with the user's answer.

    Attributes:
        number: in the file, see `RawRow`.
        id, user: without surrounding space; characters that no file name holds are written %2F.
        time: when; () where the table has no times.
        date: the same in ISO 8601, or None.
        attributes: (column, text) pairs; missing cells are left out.
    """

    number: int
    id: str
    user: str
    input: str
    output: str
    time: Instant
    date: str | None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row can't be used; `kind` is a stable name, such as "missing-output"."""

    number: int
    kind: str
    what: str


@dataclass(frozen=True)
class Rows:
    """The usable rows of a table in file order, and the faults of all others.

    `dates` says how the time column was read; None without one.
    """

    rows: tuple[Row, ...]
    faults: tuple[RowFault, ...]
    dates: DateColumn | None


def convert_rows(table: Table, config: TableConfig) -> Rows:
    """Convert every row; a faulty one becomes a RowFault.

    Raises:
        DataError: a column is missing.
        ConfigError: `config.dates` is no format.
    """
    require_columns(table, config)
    dates = None
    if config.time is not None:
        dates = read_dates([raw.cells.get(config.time) for raw in table.rows], config.dates)
    answers = AnswerReader(config)
    rows: list[Row] = []
    faults: list[RowFault] = []
    ids: dict[str, int] = {}
    for raw in table.rows:
        fault = _find_fault(raw, config)
        row = None if fault else _convert(raw, config, dates, answers)
        if isinstance(row, Row) and ids.setdefault(row.id, row.number) != row.number:
            row = RowFault(raw.number, "repeated-id", f"has the id of row {ids[row.id]}: {row.id}")
        if isinstance(row, Row):
            rows.append(row)
        elif found := fault or row:
            faults.append(found)
    return Rows(tuple(rows), tuple(faults), dates)


def require_columns(table: Table, config: TableConfig) -> None:
    """Raise DataError for a column that the declaration names and the table lacks."""
    named = [*config.columns.items(), *(("attributes", name) for name in config.attributes)]
    for role, column in named:
        if column not in table.columns:
            raise DataError(
                f"has no column {column!r}; it has {', '.join(map(repr, table.columns))}",
                file=table.path,
                hint=f"Write which column is the {role}: {role} = "
                + ('["…"]' if role == "attributes" else '"…"')
                + f"; `bench data preview {table.path.name}` suggests one",
            )


class AnswerReader:
    """Brings outputs into the one form in which they are compared.

    Space around an output is removed. An output that is a listed label in another spelling is that
    label; without listed labels, a number of an ordinal task is written as briefly as it can be.
    """

    def __init__(self, config: TableConfig) -> None:
        self.kind = config.kind
        self._labels = LabelReader(config.labels) if config.labels else None

    def read(self, text: str) -> str:
        """The answer. Raises ValueError(kind of fault, its description)."""
        text = text.strip()
        if self.kind is Kind.ORDINAL:
            number = read_number(text)
            if number is None:
                raise ValueError("output-is-no-number", f"has the output {text!r}, no number")
            text = spell_number(number)
        if self._labels is None:
            return text
        label = self._labels.read(text)
        if label is None:
            raise ValueError("unknown-label", f"has the output {text!r}, which is no label")
        return label


def read_number(text: str) -> float | None:
    """The number that a text spells, also with a decimal comma; None for any other text.

    Numbers of more than 15 digits are none, as in answers (`tasks.metrics.ordinal`).
    """
    try:
        number = float(text.replace(",", ".") if "." not in text else text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) < LARGEST else None


def spell_number(number: float) -> str:
    """A number without a needless fraction: "4", "4.5"."""
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _find_fault(raw: RawRow, config: TableConfig) -> RowFault | None:
    """Why a row has no user, input, output, time or id."""
    if raw.fault:
        return RowFault(raw.number, "unreadable-row", raw.fault)
    for role, column in config.columns.items():
        if column in raw.nested:
            what = f"holds {raw.nested[column]} in column {column!r}, not text"
            return RowFault(raw.number, "unreadable-row", what)
        text = raw.cells.get(column)
        if text is None:
            return RowFault(raw.number, f"missing-{role}", f"has no {role} (column {column!r})")
        if "\0" in text:
            what = f"has a null character in column {column!r}"
            return RowFault(raw.number, "unreadable-row", what)
        if not is_encodable(text):
            what = f"has half a character (a lone surrogate) in column {column!r}"
            return RowFault(raw.number, "unreadable-row", what)
    return None


def _convert(
    raw: RawRow, config: TableConfig, dates: DateColumn | None, answers: AnswerReader
) -> Row | RowFault:
    cells: Mapping[str, str] = {name: cell for name, cell in raw.cells.items() if cell is not None}
    time: Instant = ()
    date = None
    if config.time is not None and dates is not None:
        instant, date = dates[cells[config.time]], dates.text(cells[config.time])
        if instant is None:
            what = f"has the time {cells[config.time]!r}, which is no date"
            if config.dates is not None:
                what += f" as dates = {config.dates!r} reads it: the likely cause is that setting"
            return RowFault(raw.number, "unreadable-time", what)
        time = instant
    try:
        output = answers.read(cells[config.output])
    except ValueError as error:
        kind, what = error.args
        return RowFault(raw.number, kind, what)
    return Row(
        number=raw.number,
        id=make_safe(cells[config.id]) if config.id else str(raw.number),
        user=make_safe(cells[config.user]),
        input=cells[config.input].strip(),
        output=output,
        time=time,
        date=date,
        attributes=tuple(_read_attributes(cells, config)),
    )


def _read_attributes(cells: Mapping[str, str], config: TableConfig) -> Iterator[tuple[str, str]]:
    for name in config.attributes:
        if name in cells and is_encodable(cells[name]):
            yield name, cells[name].strip()


def make_safe(name: str) -> str:
    """An id or user without path separators and control characters, different for every name."""
    name = name.strip()
    safe = UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", name)
    return safe if safe not in {".", ".."} else f"%2E{safe[1:]}"
