"""One date in any common form → an instant."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Any, Literal

from tasks.common.instants import (
    CANONICAL,
    MAX_LENGTH,
    Instant,
    format_instant,
    from_object,
    is_missing,
    is_nan,
    spell,
)

DayOrder = Literal["day-first", "month-first"]
"""How `12/01/2001` is read: as 12 January or as December 1."""
UNIX_UNITS = ((10**8, 1), (10**11, 10**3), (10**14, 10**6), (10**17, 10**9))
"""(smallest number, units per second): 1973-03-03 in seconds, milli-, micro- and nanoseconds. Each
range ends at a hundred times its smallest number, in 2286."""
ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "CET": 60, "MET": 60, "WEST": 60, "CEST": 120, "EET": 120,
    "EEST": 180, "MSK": 180, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720,
    "NZDT": 780, "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300,
    "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600,
}  # fmt: skip
"""Names of time zones → minutes east of UTC; CST, EST and their like are North America's, as in
RFC 2822."""

_NUMBER = re.compile(r"(\d{1,20})(?:\.(\d{1,9}))?")
_COMPACT = re.compile(r"\d{4}(-?W\d\d.*|\d{4}T.+)")
_DAY_OF_YEAR = re.compile(r"(\d{4})-(\d{3})")
_CJK = re.compile(r"(\d{4}) ?[年년](?: ?(\d{1,2}) ?[月월](?: ?(\d{1,2}) ?[日号號일])?)?")
_REST = r"(?:(?:[Tt ]|, ?)(?P<rest>\S.*))?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})(?:\2(\d{{1,2}}))?{_REST}")
_YEAR_LAST = re.compile(rf"(\d{{1,2}}) ?([-/.]) ?(\d{{1,2}}) ?\2 ?(\d{{4}}|\d\d){_REST}")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/.](\d{4})")


def parse_date(
    value: object, *, format: str | None = None, order: DayOrder | None = None
) -> Instant | None:
    """The instant that a date spells; None where it is missing (null, NaN, "", "unknown", …).

    Accepted are ISO 8601; dates in numbers with `-`, `/`, `.` or 年月日; English names of months,
    as dateutil reads them; times with AM or PM, an offset or a zone's name (`ZONES`); years,
    `20140708` and Unix times; datetime objects. A time without a zone counts as UTC.

    Args:
        format: a `strptime` format that every value follows.
        order: of dates such as `12/01/2001`. None: the only possible order where there is one, else
            day first with dots, month first with slashes and hyphens.

    Raises:
        ValueError: the value is no date; the message is a phrase about it.
    """
    if isinstance(value, date):  # datetime and pandas' Timestamp included
        return None if is_nan(value) else from_object(value)
    text = spell(value)
    if is_missing(text):
        return None
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{text[:20]!r}… (over {MAX_LENGTH} characters) is no date")
    found = _from_format(text, format) if format is not None else _find(text, order)
    if found is None:
        raise ValueError(f"{text!r} is no date")
    return found


def find_order(text: str) -> tuple[str, DayOrder | None] | None:
    """(separator, the only possible order) of a date such as `12/01/2001`; None for other forms.

    The order is None where both are possible and mean different days.
    """
    match = _YEAR_LAST.fullmatch(text)
    if match is None:
        return None
    first, separator, second = int(match[1]), match[2], int(match[3])
    if first == second or max(first, second) > 31 or min(first, second) > 12:
        return None
    if first > 12:
        return separator, "day-first"
    return separator, "month-first" if second > 12 else None


def _find(text: str, order: DayOrder | None) -> Instant | None:
    if _DAY_OF_YEAR.fullmatch(text):
        day = _from_format(text, "%Y-%j")
        return day if day[0] == int(text[:4]) else None
    if CANONICAL.fullmatch(text) and (len(text) > 10 or "-00" not in text):
        return _from_iso(text)
    if _COMPACT.fullmatch(text):
        return _from_iso(text)
    found = _from_number(text) or _from_parts(text, order)
    if found is None and re.search(r"[A-Za-z]{3}", text) and re.search(r"\d", text):
        return _from_words(text)
    return found


def _from_format(text: str, format: str) -> Instant:
    try:
        found = from_object(datetime.strptime(text, format))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} does not follow the format {format!r}") from error
    known = re.sub("%%", "", format)
    if re.search(r"%[HIMSfscXTRpzZ]", known):
        return found
    if re.search(r"%[djaADxFuUWVw]", known):
        return found[:3]
    return found[:2] if re.search(r"%[mbB]", known) else found[:1]


def _from_iso(text: str) -> Instant:
    if len(text) <= 7 and "W" not in text:
        return _check_day(*(int(part) for part in text.split("-")))
    try:
        return from_object(datetime.fromisoformat(text))[: 7 if len(text) > 10 else 3]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no date ({error})") from error


def _from_number(text: str) -> Instant | None:
    """A year, `20140708`, `20140708100000` or a Unix time; None for other numbers."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits, fraction = match[1], match[2] or ""
    number = int(digits)
    if not fraction.strip("0"):
        if len(digits) == 4:
            return (number,)
        if (found := _from_digits(digits)) is not None:
            return found
    for smallest, units in UNIX_UNITS:
        if smallest <= number < 100 * smallest:
            micro = number * 10**6 // units + int(f"{fraction:0<6}"[:6]) // units
            return from_object(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micro))
    return None


def _from_digits(digits: str) -> Instant | None:
    """`201407`, `20140708`, with hours and minutes or seconds; of the years 1900 to 2099."""
    if len(digits) not in {6, 8, 12, 14} or digits[:2] not in {"19", "20"}:
        return None
    try:
        if len(digits) == 6:
            return _check_day(int(digits[:4]), int(digits[4:]))
        found = datetime.strptime(digits, "%Y%m%d%H%M%S"[: len(digits) - 2])
    except ValueError:
        return None
    return from_object(found)[: 3 if len(digits) == 8 else 7]


def _from_parts(text: str, order: DayOrder | None) -> Instant | None:
    """A date that is written in numbers, with or without a time after it."""
    text = _CJK.sub(lambda match: "-".join(part for part in match.groups() if part), text)
    if match := _MONTH_YEAR.fullmatch(text):
        return _check_day(int(match[2]), int(match[1]))
    if match := _YEAR_FIRST.fullmatch(text):
        day = None if match[4] is None else int(match[4])
        return _add_time(_check_day(int(match[1]), int(match[3]), day), match["rest"])
    match = _YEAR_LAST.fullmatch(text)
    return None if match is None else _from_year_last(match, order)


def _from_year_last(match: re.Match[str], order: DayOrder | None) -> Instant:
    first, second, year = int(match[1]), int(match[3]), match[4]
    if len(year) == 2 and first > 31:  # 99/12/31
        return _add_time(_check_day(_century(first), second, int(year)), match["rest"])
    if order is None:
        found = find_order(match[0])
        order = (found and found[1]) or ("day-first" if match[2] == "." else "month-first")
    day, month = (first, second) if order == "day-first" else (second, first)
    full = int(year) if len(year) == 4 else _century(int(year))
    return _add_time(_check_day(full, month, day), match["rest"])


def _check_day(year: int, month: int | None = None, day: int | None = None) -> Instant:
    """The date, without parts that are 0, as databases write unknown ones."""
    if not month:
        return (year,)
    try:
        date(year, month, day or 1)
    except ValueError as error:
        raise ValueError(f"{year:04}-{month:02}-{day or 1:02} is no date ({error})") from error
    return (year, month, day) if day else (year, month)


def _century(year: int) -> int:
    """The full year of a two-digit one: 1969 to 2068, as in POSIX."""
    return year + (1900 if year >= 69 else 2000)


def _add_time(day: Instant, rest: str | None) -> Instant:
    if rest is None:
        return day
    text = format_instant(day)
    if len(day) < 3:
        raise ValueError(f"{text!r} has a time but no day")
    try:
        return from_object(datetime.fromisoformat(f"{text}T{rest}"))
    except (ValueError, OverflowError):
        found = _from_words(f"{text} {rest}")
        shift = (
            None if found is None else abs(date(*found[:3]) - date(*day))
        )  # a zone may move it by a day
        if found is None or shift is None or shift > timedelta(days=1):
            raise ValueError(f"{rest!r} is no time") from None
        return found


def _from_words(text: str) -> Instant | None:
    """A date as dateutil reads it, e.g. with the name of a month; None where it has no year."""
    from dateutil.parser import parse

    text = re.sub(r"(\d\d/[A-Za-z]{3}/\d{4}):", r"\1 ", text)  # of web servers' logs
    # What a text leaves open is taken from the default: what differs under two is not known.
    defaults = datetime(2000, 1, 1), datetime(2004, 3, 2)
    try:
        found, other = (
            parse(text, _parser_info(), default=default, tzinfos=_find_zone) for default in defaults
        )
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise ValueError(f"{text!r} is no date ({error})") from error
    if found.year != other.year:
        return None
    if found.month != other.month:
        return (found.year,)
    if found.day != other.day:
        return found.year, found.month
    has_time = re.search(r"\d ?:|\d ?[ap]\.?m\b", text, re.IGNORECASE) is not None
    return from_object(found) if has_time else (found.year, found.month, found.day)


@cache
def _parser_info() -> Any:
    from dateutil.parser import parserinfo

    class Info(parserinfo):  # type: ignore[misc, unused-ignore]
        """dateutil's rules, except that a two-digit year doesn't depend on today's date."""

        def convertyear(self, year: int, century_specified: bool = False) -> int:
            return year if century_specified or year > 99 else _century(year)

    return Info()


def _find_zone(name: str | None, offset: int | None) -> tzinfo | None:
    """The zone of a name or an offset in seconds. Raises ValueError for an unknown name."""
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name is None:
        return None
    if name.upper() not in ZONES:
        raise ValueError(f"unknown time zone {name!r}")
    return timezone(timedelta(minutes=ZONES[name.upper()]))
