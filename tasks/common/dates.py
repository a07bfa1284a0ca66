"""A column of dates → instants that sort: what one date leaves open, the whole column decides."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tasks.common.date_forms import DayOrder, find_order, parse_date
from tasks.common.errors import ConfigError
from tasks.common.instants import CANONICAL, Instant, fill_instant, format_instant, spell

__all__ = [
    "DateColumn", "DateFault", "DayOrder", "Instant", "check_format", "format_instant",
    "parse_date", "read_dates", "read_normalized", "sort_keys",
]  # fmt: skip

FaultKind = Literal["unreadable-dates", "ambiguous-dates", "contradictory-dates"]
ORDERS: tuple[DayOrder, ...] = ("day-first", "month-first")
SET_FORMAT = 'Write dates as 2001-12-31, or say how they are read: dates = "day-first", '
SET_FORMAT += '"month-first" or a format such as "%d/%m/%Y"'


@dataclass(frozen=True)
class DateFault:
    """What is wrong with some dates of a column.

    Attributes:
        kind: "unreadable-dates" are no dates; "ambiguous-dates" fit both orders of day and month;
            "contradictory-dates" fit only the order that others exclude.
        message: what is wrong and how to fix it, with an example.
        values: the distinct values concerned, as text.
    """

    kind: FaultKind
    message: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class DateColumn:
    """How the dates of a column are read.

    Attributes:
        instants: distinct value (as `spell` writes it) → instant; None for missing and unreadable
            values.
        faults: what is wrong with them.
        positions: whether the values are no dates but numbers that only order the items.
    """

    instants: Mapping[str, Instant | None]
    faults: tuple[DateFault, ...] = ()
    positions: bool = False

    def __getitem__(self, value: object) -> Instant | None:
        """The instant of one of the column's values; None if it is missing or unreadable."""
        return self.instants.get(_spell(value))

    def text(self, value: object) -> str | None:
        """The value in ISO 8601 (UTC), or None."""
        instant = self[value]
        return None if instant is None else format_instant(instant)


def check_format(format: str | None) -> str | None:
    """`format` itself. Raises ConfigError unless it is an order, a `strptime` format or None."""
    if format is None or format in ORDERS:
        return format
    try:
        sample = datetime(2001, 12, 31).strftime(format)
        read = datetime.strptime(sample, format)
    except ValueError as error:
        raise _bad_format(format, str(error)) from error
    if "%" not in format or read.year != 2001:
        raise _bad_format(format, "it names no year")
    return format


def _bad_format(format: str, why: str) -> ConfigError:
    return ConfigError(
        f"dates = {format!r} is no format of dates ({why})",
        hint='Write "day-first", "month-first" or a format such as "%d/%m/%Y"',
    )


def read_dates(values: Iterable[object], format: str | None = None) -> DateColumn:
    """Read the dates of one column, with the order of day and month that all of them allow.

    One day above 12 settles the order for every date with the same separator. Where none does,
    dates with dots are read day first, the others month first and reported as ambiguous. Where
    some are only possible day first and others month first, the rest follow the majority.

    Args:
        values: of the column, in any order.
        format: "day-first", "month-first" or a `strptime` format that every value follows.

    Raises:
        ConfigError: `format` is none of these.
    """
    given = _as_order(check_format(format))
    distinct: dict[str, object] = {}
    for value in values:
        distinct.setdefault(_spell(value), value)
    if format is not None and given is None:
        instants, unreadable = _parse(distinct, lambda _: (format, None))
        return DateColumn(instants, _report_unreadable(unreadable, format))
    orders, faults = ({}, []) if given else _choose_orders(distinct)

    def choose(text: str) -> tuple[None, DayOrder | None]:
        found = find_order(text)
        if found is None:
            return None, given
        separator, only = found
        return None, given or only or orders.get(separator)

    instants, unreadable = _parse(distinct, choose)
    if len(unreadable) * 2 > len(distinct) and all(
        re.fullmatch(r"\d{1,18}", text) for text in distinct if instants[text] or text in unreadable
    ):
        positions = {text: (int(text),) if text.isdecimal() else None for text in distinct}
        return DateColumn(positions, positions=True)
    return DateColumn(instants, (*faults, *_report_unreadable(unreadable, format)))


def sort_keys(dates: Sequence[str | None]) -> list[Instant]:
    """A key for each date of one history: newer dates have greater keys, missing dates the least.

    Dates of one moment have equal keys, however precisely they are written.

    Numbers and dates in ISO 8601 are compared as they are, which is how histories are loaded; other
    forms are read as a column of their own.
    """
    given = [date for date in dates if date is not None]
    if all(map(str.isdecimal, given)) or all(map(CANONICAL.fullmatch, given)):
        return [() if date is None else fill_instant(read_normalized(date)) for date in dates]
    column = read_dates(dates)
    return [fill_instant(column[date] or ()) for date in dates]


def _as_order(format: str | None) -> DayOrder | None:
    return next((order for order in ORDERS if order == format), None)


def read_normalized(date: str) -> Instant:
    """The instant of a date as `format_instant` writes it."""
    return tuple(map(int, re.split(r"\D", date)))


def _spell(value: object) -> str:
    try:
        return spell(value)
    except ValueError:
        return str(value)


def _parse(
    distinct: Mapping[str, object], choose: Callable[[str], tuple[str | None, DayOrder | None]]
) -> tuple[dict[str, Instant | None], dict[str, str]]:
    """(value → instant, unreadable value → why)."""
    instants: dict[str, Instant | None] = {}
    unreadable: dict[str, str] = {}
    for text, value in distinct.items():
        format, order = choose(text)
        try:
            instants[text] = parse_date(value, format=format, order=order)
        except ValueError as error:
            instants[text] = None
            unreadable[text] = str(error)
    return instants, unreadable


def _choose_orders(
    distinct: Mapping[str, object],
) -> tuple[dict[str, DayOrder], list[DateFault]]:
    """Separator → order of the dates that could be read both ways, and what is wrong with them."""
    found: dict[str, dict[DayOrder | None, list[str]]] = {}
    for text in distinct:
        if (order := find_order(text)) is not None:
            found.setdefault(order[0], {}).setdefault(order[1], []).append(text)
    orders: dict[str, DayOrder] = {}
    faults = []
    for separator, by_order in found.items():
        both = by_order.get(None, [])
        counts = Counter({order: len(by_order.get(order, [])) for order in ORDERS})
        default: DayOrder = "day-first" if separator == "." else "month-first"
        chosen = max(ORDERS, key=lambda order: (counts[order], order == default))
        orders[separator] = chosen
        if all(counts.values()):
            first, second = (by_order[order][0] for order in ORDERS)
            faults.append(_report_contradiction(first, second, both, chosen))
        elif both and not any(counts.values()) and separator != ".":
            message = (
                f"dates such as {both[0]!r} can be read day first or month first, and no day above "
                f"12 settles which; they are read {chosen.replace('-', ' ')}"
            )
            faults.append(DateFault("ambiguous-dates", f"{message}. {SET_FORMAT}", tuple(both)))
    return orders, faults


def _report_contradiction(first: str, second: str, both: list[str], chosen: DayOrder) -> DateFault:
    message = f"{first!r} is only possible day first, {second!r} only month first"
    if both:
        message += f"; dates such as {both[0]!r} are read {chosen.replace('-', ' ')}"
    values = (first, second, *both)
    return DateFault("contradictory-dates", f"{message}. {SET_FORMAT}", values)


def _report_unreadable(unreadable: Mapping[str, str], format: str | None) -> tuple[DateFault, ...]:
    if not unreadable:
        return ()
    reason = next(iter(unreadable.values()))
    cause = "" if format is None else f"; the likely cause is the setting dates = {format!r}"
    message = f"dates can't be read, so their items count as undated: {reason}{cause}. {SET_FORMAT}"
    return (DateFault("unreadable-dates", message, tuple(unreadable)),)
