"""Guesses a declaration from a table: which column is what, and what kind of answer it asks for."""

from collections.abc import Callable, Mapping
from statistics import fmean

from tasks.common.dates import read_dates
from tasks.common.errors import ConfigError
from tasks.table.reading import Table
from tasks.table.rows import read_number
from tasks.table.wording import humanize
from tasks.task import Kind

NAMES = {
    "user": "user author customer reviewer agent person account member client sender writer owner "
    "username speaker participant editor employee buyer",
    "time": "time date timestamp created datetime day sent published posted updated when year",
    "output": "output label target answer response rating score stars grade tag category class "
    "queue title headline subject summary sentiment reply translation topic",
    "input": "input text body content message review question query prompt document article "
    "description ticket comment abstract email post tweet diff",
    "id": "id key uuid number",
}
"""Role → words of columns that usually have it, in the order in which roles are given out."""
DATED, DISTINCT, SCALE, PER_LABEL, MOST_LABELS = 0.9, 0.9, 11, 4, 50


def guess_roles(table: Table, given: Mapping[str, str | None]) -> dict[str, str]:
    """Role → column: those given, then by the columns' names, then by what they hold.

    Raises ConfigError: no column is left that could be the user, the input or the output.
    """
    roles = {role: column for role, column in given.items() if column is not None}
    for role, words in NAMES.items():
        if role not in roles and (found := _find_named(table, role, words.split(), roles)):
            roles[role] = found
    if "time" not in roles and (dated := _find_dated(table, roles)):
        roles["time"] = dated
    fallbacks: dict[str, Callable[[str], float]] = {
        "input": lambda column: _mean_length(table, column),
        "output": lambda column: -_count(table, column) if _count(table, column) > 1 else -1e9,
        "user": lambda column: (
            _count(table, column)
            if _recurs(table, column) and not _is_dated(table, column)
            else -1e9
        ),
    }
    for role, rank in fallbacks.items():
        free = [column for column in table.columns if column not in roles.values()]
        if role not in roles:
            best = max(free, key=rank, default=None)
            if best is None or rank(best) == -1e9:
                raise ConfigError(
                    f"can't tell which column is the {role}; there are "
                    + ", ".join(map(repr, table.columns)),
                    file=table.path,
                    hint=f"Give --{role} COLUMN",
                )
            roles[role] = best
    return {
        role: roles[role] for role in ("user", "input", "output", "time", "id") if role in roles
    }


def guess_kind(table: Table, output: str) -> Kind:
    """What a column of answers asks for: a number on a scale, one of few labels, or a text."""
    answers = [text.strip() for text in _filled(table, output)]
    distinct = set(answers)
    if all(read_number(answer) is not None for answer in distinct) and len(distinct) <= SCALE:
        return Kind.ORDINAL
    if len(distinct) <= min(MOST_LABELS, len(answers) / PER_LABEL):
        return Kind.CLASSIFICATION
    return Kind.GENERATION


def _find_named(table: Table, role: str, words: list[str], roles: Mapping[str, str]) -> str | None:
    """The free column whose name says that it has this role; a name of one word is preferred."""
    best: tuple[int, int, str] | None = None
    for column in table.columns:
        parts = humanize(column).lower().split()
        hits = [words.index(part) for part in parts if part in words]
        if column in roles.values() or not hits or not _fits(table, role, column):
            continue
        rank = (len(parts), min(hits), column)
        best = rank if best is None or rank < best else best
    return best[2] if best else None


def _find_dated(table: Table, roles: Mapping[str, str]) -> str | None:
    """The first free column that holds dates, whatever its name."""
    free = (column for column in table.columns if column not in roles.values())
    return next((column for column in free if _is_dated(table, column)), None)


def _is_dated(table: Table, column: str) -> bool:
    """Whether a column holds dates that are no plain numbers, which could be anything."""
    texts = _filled(table, column)
    numbers = [text for text in texts if read_number(text) is not None and text.count(".") < 2]
    return _fits(table, "time", column) and len(numbers) < len(texts) / 2


def _fits(table: Table, role: str, column: str) -> bool:
    texts = _filled(table, column)
    if role == "time":
        dates = read_dates(texts)
        return bool(texts) and fmean(dates[text] is not None for text in texts) >= DATED
    if role == "id":
        return len(set(texts)) >= DISTINCT * len(table.rows)
    if role == "user":
        return _recurs(table, column)
    return bool(texts)


def _filled(table: Table, column: str) -> list[str]:
    return [text for row in table.rows if (text := row.cells.get(column)) is not None]


def _count(table: Table, column: str) -> int:
    return len(set(_filled(table, column)))


def _recurs(table: Table, column: str) -> bool:
    """Whether values recur, as users do."""
    return 0 < _count(table, column) < len(_filled(table, column))


def _mean_length(table: Table, column: str) -> float:
    return fmean([len(text) for text in _filled(table, column)] or [0])
