"""A table's cells as text, and its rows before anything is known about their columns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

Cell = str | None
NESTED = {
    "dict": "an object", "list": "a list", "ndarray": "a list", "bytes": "bytes",
    "Timedelta": "a duration", "time": "a time of day",
}  # fmt: skip
"""Types of values that are no cells."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file.

    Attributes:
        number: as an editor or spreadsheet shows it: the first row below a header is 2.
        cells: column → text, or None where a cell is missing or empty.
        fault: why the row can't be read, or "".
        nested: column → what a cell is that is no text, number or date, e.g. "a list".
    """

    number: int
    cells: Mapping[str, Cell]
    fault: str = ""
    nested: Mapping[str, str] = field(default_factory=dict)


def to_text(value: Any) -> Cell:
    """A cell's value as text; None where there is none. Raises TypeError for lists and objects."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, int):
        return str(value).lower()  # of true and false
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value.is_finite() else None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(NESTED.get(type(value).__name__, f"a {type(value).__name__}"))


def convert_row(number: int, values: Mapping[Any, Any]) -> RawRow:
    """The row of typed values as text; what is no cell is nested."""
    cells: dict[str, Cell] = {}
    nested: dict[str, str] = {}
    for name, value in values.items():
        try:
            cells[name] = to_text(value)
        except TypeError as error:
            cells[name], nested[name] = None, str(error)
    return RawRow(number, cells, nested=nested)
