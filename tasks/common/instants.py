"""Instants: what dates are compared by."""

import numbers
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime

Instant = tuple[int, ...]
"""(year, month, day, hour, minute, second, microsecond) in UTC, cut where the date stops.

`fill_instant` gives what they are sorted by. A single number that is no year is a position: (17,).
"""
MAX_LENGTH = 80
"""Characters of the longest text that can be a date."""
MISSING = frozenset(
    {"", "-", "--", "?", "nan", "nat", "null", "none", "n/a", "na", "unknown", "<na>", "\\n"}
)
"""Texts in lower case that stand for a missing date."""
_FIRST = (1, 1, 1, 0, 0, 0, 0)
CANONICAL = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d{6})?)?)?)?")
"""What `format_instant` writes for a date."""


def fill_instant(instant: Instant) -> Instant:
    """The first moment that an instant may be, for sorting: equal moments have equal keys.

    2014-01 and 2014-01-01T00:00:00 are one; () stays the least of all.
    """
    return instant and (*instant, *_FIRST[len(instant) :])


def find_ties(instants: Iterable[Instant]) -> set[Instant]:
    """Those that another one neither precedes nor follows, as far as both are known.

    Equal ones are, and so are 2014 and 2014-07, whose order is unknown. () is never tied.
    """
    counts = Counter(instant for instant in instants if instant)
    tied = {instant for instant, count in counts.items() if count > 1}
    for instant in counts:
        for known in range(1, min(len(instant), 4)):
            if instant[:known] in counts:
                tied |= {instant, instant[:known]}
    return tied


def is_missing(text: str) -> bool:
    """Whether a stripped text stands for a missing date; `0000-00-00` is a database's."""
    return text.lower() in MISSING or not text.strip("0-/.: T")


def is_nan(value: object) -> bool:
    """Whether a value is NaN or pandas' NaT."""
    return bool(value != value)  # noqa: PLR0124


def spell(value: object) -> str:
    """A date's value as stripped text, with digits, spaces and letters in their plain forms.

    Raises ValueError for a value that is neither text nor a number.
    """
    if value is None or is_nan(value):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | numbers.Real):
        raise ValueError(f"a {type(value).__name__} is no date")  # noqa: TRY004
    if not isinstance(value, str):
        if isinstance(value, numbers.Integral):
            if abs(int(value)) >= 10**30:
                raise ValueError("a number of more than 30 digits is no date")
            return str(int(value))
        number = float(value)
        return str(int(number)) if number.is_integer() else repr(number)
    return " ".join(unicodedata.normalize("NFKC", value[: 10 * MAX_LENGTH]).split())


def from_object(value: date) -> Instant:
    """The instant of a date or datetime object; one without a zone counts as UTC.

    Raises ValueError where it lies outside the years 1 to 9999 in UTC.
    """
    if not isinstance(value, datetime):
        return value.year, value.month, value.day
    if value.tzinfo is not None:
        try:
            value = value.astimezone(UTC)
        except OverflowError as error:
            raise ValueError(f"{value} lies outside the years 1 to 9999") from error
    return (
        value.year, value.month, value.day,
        value.hour, value.minute, value.second, value.microsecond,
    )  # fmt: skip


def format_instant(instant: Instant) -> str:
    """The instant in ISO 8601, as short as it is known: `2014-07`, `2014-07-08T10:00:00`.

    A position is its number.
    """
    if len(instant) == 1:
        return f"{instant[0]:04}" if 1000 <= instant[0] <= 9999 else str(instant[0])
    day = "-".join((f"{instant[0]:04}", *(f"{part:02}" for part in instant[1:3])))
    if len(instant) <= 3:
        return day
    hour, minute, second, micro = instant[3:]
    return f"{day}T{hour:02}:{minute:02}:{second:02}" + (f".{micro:06}" if micro else "")
