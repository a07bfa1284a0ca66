"""The table at the top of the page: every score with what its test says."""

from dataclasses import dataclass

from bench.report.columns import primary
from bench.report.model import Series
from bench.report.series import is_control
from bench.report.verdicts import Gain, judge
from bench.tables.model import Column, Row, RowKey, Table


@dataclass(frozen=True)
class Mark:
    """One field.

    Attributes:
        text, value: the score; None, and why, where there is none.
        counts: missing and unreadable answers, such as "f1 u2".
        few_seeds: such as "1 seed", where too few were run to claim anything; else empty.
        best: not separable from the best of its column.
        gain: over the reference; None for bounds and in the reference's own row.
    """

    text: str
    value: float | None
    counts: str = ""
    few_seeds: str = ""
    best: bool = False
    gain: Gain | None = None


@dataclass(frozen=True)
class Line:
    """One row, with its series."""

    name: str
    series: Series
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Scoreboard:
    """Rows of methods, then bounds; `columns` are (task, metric with its arrow, n)."""

    columns: tuple[tuple[str, str, int], ...]
    lines: tuple[Line, ...]


def make_scoreboard(table: Table, series: dict[RowKey, Series]) -> Scoreboard:
    """The primary metric of every task; controls have a table of their own."""
    columns = primary(table)
    lines = [
        Line(
            series[row.key].name,
            series[row.key],
            tuple(_mark(row, column, judged=not series[row.key].bound) for column in columns),
        )
        for row in table.rows
        if not is_control(row)
    ]
    lines.sort(key=lambda line: line.series.bound)
    return Scoreboard(
        tuple(
            (column.task, f"{column.metric} {'↑' if column.higher_is_better else '↓'}", column.n)
            for column in columns
        ),
        tuple(lines),
    )


def _mark(row: Row, column: Column, *, judged: bool) -> Mark:
    entry = row.entries.get(column)
    if entry is None:
        return Mark(row.missing.get(column.task, "–"), None)
    counts = ((entry.n_failed, "f"), (entry.n_unparsed, "u"))
    return Mark(
        f"{entry.interval.value:.3f}",
        entry.interval.value,
        " ".join(f"{mark}{count}" for count, mark in counts if count),
        entry.few_seeds,
        entry.best,
        judge(entry.to_reference) if judged else None,
    )
