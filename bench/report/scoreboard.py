"""The table at the top of the page: every score with what its test says."""

from dataclasses import dataclass

from bench.report.charts.forest import primary
from bench.report.model import Series
from bench.report.series import is_control
from bench.report.verdicts import Gain, judge
from bench.tables.model import Column, Row, RowKey, Table


@dataclass(frozen=True)
class Mark:
    """One field: the score, what is wrong with it, and the gain over the reference."""

    text: str
    value: float | None
    counts: str = ""
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
        entry.best,
        judge(column, entry.to_reference) if judged else None,
    )
