"""The answer in three sentences: what the tests of a table say, and nothing that they don't."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report.columns import primary
from bench.report.model import Series
from bench.report.verdicts import Verdict, judge
from bench.statistics import Comparison
from bench.tables.model import Entry, Row, RowKey, Table

Field = Callable[[Entry], Comparison | None]


@dataclass(frozen=True)
class Tally:
    """On which tasks one row is better, worse, or neither, compared with one other."""

    name: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    unclear: tuple[str, ...]

    @property
    def tasks(self) -> int:
        """On how many it was compared."""
        return len(self.better) + len(self.worse) + len(self.unclear)

    @property
    def balance(self) -> int:
        """How many more tasks it is better on than worse."""
        return len(self.better) - len(self.worse)


def write_answer(
    table: Table, series: dict[RowKey, Series], *, several_sources: bool = False
) -> tuple[str, str, str]:
    """Who beats the reference; who is best on which task; whether the gain is personal.

    Args:
        several_sources: whether a column is a task on one of several data sources, so that columns
            are counted, not tasks.
    """
    rows = [row for row in table.rows if row.key in series and not series[row.key].bound]
    if not table.columns:
        nothing = "No cell of this suite has scores yet."
        return nothing, "Run it, then write the report again.", ""
    rows.sort(key=lambda row: -sum(entry.best for entry in row.entries.values()))
    tallies = [
        _tally(series[row.key].name, row, table, lambda entry: entry.to_reference) for row in rows
    ]
    first = _compare_with_reference([t for t in tallies if t.tasks], table.reference)
    second, third = _name_best(table, rows, series), _judge_personal(table, rows, series)
    return (
        (_count_columns(first), _count_columns(second), _count_columns(third))
        if several_sources
        else (first, second, third)
    )


def _count_columns(sentence: str) -> str:
    return re.sub(r"\b(\d+|any) task(s?)\b", r"\1 column\2", sentence)


def _tally(name: str, row: Row, table: Table, field: Field) -> Tally:
    found: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for column in primary(table):
        entry = row.entries.get(column)
        gain = None if entry is None else judge(field(entry))
        if gain is not None:
            found[gain.verdict].append(column.task)
    return Tally(name, *(tuple(found[verdict]) for verdict in Verdict))


def _compare_with_reference(tallies: Sequence[Tally], reference: str) -> str:
    if not tallies:
        return f"No row can be compared with {reference}, the reference."
    winners = sorted((t for t in tallies if t.better), key=lambda t: -t.balance)
    losers = [tally for tally in tallies if tally.worse and not tally.better]
    silent = [tally.name for tally in tallies if not tally.better and not tally.worse]
    if not winners and not losers:
        return f"No method is shown to be better or worse than {reference} on any task."
    if winners:
        first, *others = winners
        parts = [f"{first.name} is better than {reference} on {_describe(first)}"]
        if others:
            parts.append(f"so {'is' if len(others) == 1 else 'are'} {_group_better(others)}")
    else:
        parts = [f"No method is shown to be better than {reference} on any task"]
    if losers:
        them = [f"{tally.name} on {_count(tally.worse, tally.tasks)}" for tally in losers]
        parts.append(f"worse: {_join(them)}")
    if silent:
        parts.append(f"not shown to differ: {_join(silent)}")
    return "; ".join(parts) + "."


def _group_better(tallies: Sequence[Tally]) -> str:
    """Names by the number of tasks that they are better on: "a and b on 4, and c on 2"."""
    groups: dict[str, list[str]] = {}
    for tally in tallies:
        groups.setdefault(_describe(tally, short=True), []).append(tally.name)
    return "; ".join(f"{_join(names)} on {where}" for where, names in groups.items())


def _name_best(table: Table, rows: Sequence[Row], series: dict[RowKey, Series]) -> str:
    """Who is best, or not separable from the best, on how many tasks; and who is it alone."""
    columns = primary(table)
    best = {
        column.task: [
            series[row.key].name
            for row in rows
            if column in row.entries and row.entries[column].best
        ]
        for column in columns
    }
    names = dict.fromkeys(name for of_task in best.values() for name in of_task)
    if not names:
        return "On no task could the best be told from the rest."
    counts = {name: sum(name in of_task for of_task in best.values()) for name in names}
    groups: dict[int, list[str]] = {}
    for name in sorted(names, key=lambda name: -counts[name]):
        groups.setdefault(counts[name], []).append(name)
    if len(names) == len(rows) > 1 and len(groups) == 1 and len(columns) in groups:
        return f"Nobody stands out: none of the {len(rows)} is separable from the best of any task."
    (most, leaders), *others = groups.items()
    where = _count(columns[:most], len(columns)) if len(columns) > 1 else columns[0].task
    verb = "is" if len(leaders) == 1 else "are"
    parts = [f"{_join(leaders)} {verb} best, or not separable from the best, on {where}"]
    parts += [f"{_join(of_count)} on {count}" for count, of_count in others]
    alone: dict[str, list[str]] = {}
    for task, of_task in best.items():
        if len(of_task) == 1:
            alone.setdefault(of_task[0], []).append(task)
    if alone and len(columns) > 1:
        them = [f"{name} on {_list(tasks, len(columns))}" for name, tasks in alone.items()]
        parts.append(f"alone at the top: {_join(them)}")
    return "; ".join(parts) + "."


def _judge_personal(table: Table, rows: Sequence[Row], series: dict[RowKey, Series]) -> str:
    """Whether a row beats itself with another user's history (law 3)."""
    tallies = [
        _tally(series[row.key].name, row, table, lambda entry: entry.to_control) for row in rows
    ]
    compared = [tally for tally in tallies if tally.tasks]
    if not compared:
        return (
            "Whether any gain is personal is not known: this suite has no controls with another "
            "user's history (controls = true)."
        )
    groups: dict[str, list[str]] = {}
    for tally in sorted(compared, key=lambda tally: -len(tally.better)):
        if tally.better:
            groups.setdefault(_count(tally.better, tally.tasks), []).append(tally.name)
    rest = [tally.name for tally in compared if not tally.better]
    if not groups:
        return (
            "No gain is shown to be personal: with another user's history, no method is shown to "
            "be worse."
        )
    them = [f"{_join(names)} on {count}" for count, names in groups.items()]
    sentence = f"Personal, that is worse with another user's history: {'; '.join(them)}"
    return sentence + (f"; not shown to be: {_join(rest)}." if rest else ".")


def _describe(tally: Tally, *, short: bool = False) -> str:
    """Where a row is better, and where it is worse."""
    where = f"{len(tally.better)}" if short else _count(tally.better, tally.tasks)
    return f"{where} (but worse on {_list(tally.worse, tally.tasks)})" if tally.worse else where


def _count(tasks: Sequence[object], total: int) -> str:
    """How many of all tasks; a single one by its name."""
    if len(tasks) == total:
        return str(tasks[0]) if total == 1 else f"all {total} tasks"
    return f"{len(tasks)} of {total} tasks"


def _list(tasks: Sequence[str], total: int) -> str:
    """The tasks by name; "all tasks" where that is what they are."""
    return f"all {total} tasks" if len(tasks) == total > 1 else _join(tasks)


def _join(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
