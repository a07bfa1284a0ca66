"""The answer in three sentences: what the tests of a table say, and nothing that they don't."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report.charts.forest import primary
from bench.report.model import Series
from bench.report.verdicts import Verdict, judge
from bench.statistics import Interval
from bench.tables.model import Column, Entry, Row, RowKey, Table

Field = Callable[[Entry], Interval | None]


@dataclass(frozen=True)
class Tally:
    """On which tasks one row is better, worse, or neither, compared with one other."""

    name: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    unclear: tuple[str, ...]

    @property
    def tasks(self) -> int:
        return len(self.better) + len(self.worse) + len(self.unclear)

    @property
    def balance(self) -> int:
        return len(self.better) - len(self.worse)


def write_answer(table: Table, series: dict[RowKey, Series]) -> tuple[str, str, str]:
    """Who beats the reference; who is best on which task; whether the gain is personal."""
    rows = [row for row in table.rows if row.key in series and not series[row.key].bound]
    if not table.columns:
        nothing = "No cell of this suite has scores yet."
        return nothing, "Run it, then write the report again.", ""
    tallies = [
        _tally(series[row.key].name, row, table, lambda entry: entry.to_reference) for row in rows
    ]
    return (
        _compare_with_reference([t for t in tallies if t.tasks], table.reference),
        _name_best(table, rows, series),
        _judge_personal(table, rows, series),
    )


def _tally(name: str, row: Row, table: Table, field: Field) -> Tally:
    found: dict[Verdict, list[str]] = {verdict: [] for verdict in Verdict}
    for column in primary(table):
        entry = row.entries.get(column)
        gain = None if entry is None else judge(column, field(entry))
        if gain is not None:
            found[gain.verdict].append(column.task)
    return Tally(name, *(tuple(found[verdict]) for verdict in Verdict))


def _compare_with_reference(tallies: Sequence[Tally], reference: str) -> str:
    if not tallies:
        return f"No row can be compared with {reference}, the reference."
    if not any(tally.better or tally.worse for tally in tallies):
        return f"No method is detectably better or worse than {reference} on any task."
    ranked = sorted(tallies, key=lambda tally: -tally.balance)
    parts = []
    if ranked[0].better:
        first, *others = [tally for tally in ranked if tally.better]
        sentence = f"{first.name} is better than {reference} on {_count(first.better, first)}"
        if first.worse:
            sentence += f" and worse on {_join(first.worse)}"
        parts.append(sentence)
        if others:
            them = [f"{tally.name} ({_describe(tally)})" for tally in others]
            parts.append(f"so {'is' if len(them) == 1 else 'are'} {_join(them)}")
    else:
        parts.append(f"No method is detectably better than {reference} on any task")
    losers = [tally for tally in tallies if not tally.better and tally.worse]
    if losers:
        them = [f"{tally.name} (on {_join(tally.worse)})" for tally in losers]
        parts.append(f"{_join(them)} {'is' if len(them) == 1 else 'are'} only worse")
    silent = [tally.name for tally in tallies if not tally.better and not tally.worse]
    if silent:
        parts.append(f"{_join(silent)} can't be told from it")
    return "; ".join(parts) + "."


def _name_best(table: Table, rows: Sequence[Row], series: dict[RowKey, Series]) -> str:
    """Who is best, or not separable from the best, and where."""
    columns = primary(table)
    where = {
        series[row.key].name: [
            column.task for column in columns if column in row.entries and row.entries[column].best
        ]
        for row in rows
    }
    ranked = sorted((name for name in where if where[name]), key=lambda name: -len(where[name]))
    if not ranked:
        return "No method stands out as the best of a task."
    parts = [f"{name} on {_count_of(where[name], columns)}" for name in ranked]
    return f"Best by task, ties included: {_join(parts)}."


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
    personal = [tally for tally in compared if tally.better]
    if not personal:
        return (
            "No gain is shown to be personal: with another user's history, no method is detectably "
            "worse."
        )
    them = [f"{tally.name} on {_count(tally.better, tally)}" for tally in personal]
    rest = [tally.name for tally in compared if not tally.better]
    sentence = f"The gain is personal, lost with another user's history, for {_join(them)}"
    return sentence + (f", but not shown to be for {_join(rest)}." if rest else ".")


def _describe(tally: Tally) -> str:
    parts = [f"{len(tally.better)} of {tally.tasks}"]
    if tally.worse:
        parts.append(f"worse on {_join(tally.worse)}")
    return ", ".join(parts)


def _count(tasks: Sequence[str], tally: Tally) -> str:
    """The tasks by name where they are few, else how many."""
    if len(tasks) == tally.tasks:
        return _join(tasks) if len(tasks) == 1 else f"all {tally.tasks} tasks"
    return f"{len(tasks)} of {tally.tasks} tasks ({_join(tasks)})"


def _count_of(tasks: Sequence[str], columns: Sequence[Column]) -> str:
    return f"all {len(columns)} tasks" if len(tasks) == len(columns) > 1 else _join(tasks)


def _join(names: Sequence[str]) -> str:
    """Names as a sentence lists them: a, b and c."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
