"""Scores against the data source, one line per method: LaMP-mini's dial from local to global."""

from collections.abc import Mapping
from functools import partial
from math import nan
from typing import Any

from bench.grid import Grid
from bench.report.charts.canvas import MUTED, Canvas, color_of, format_bound, marker_of
from bench.report.model import Figure, Panel, Series, View
from bench.settings import Settings, Suite
from bench.statistics import Interval
from bench.tables.model import Column, RowKey, Table

Lines = dict[Series, list[tuple[Any, Interval]]]
"""Series → (place on the axis, score) of every source that it has a score of."""


def make_dial(
    settings: Settings, grid: Grid, table: Table, series: Mapping[RowKey, Series]
) -> Figure | None:
    """A panel per task; None where the suite has one source or nothing is scored.

    Sources of LaMP-mini that differ in their dial are placed at its value; others at equal steps.
    """
    _, suite = settings.suite(grid.suite)
    if len(suite.data) == 1 or not table.columns:
        return None
    axis, label = _place_sources(settings, suite)
    sources = {cell.place: cell.source for cell in grid.cells}
    tasks = {cell.place: cell.task.name for cell in grid.cells}
    first = {cell.place: cell.task.metrics[0] for cell in grid.cells}
    panels = []
    for task in dict.fromkeys(tasks[column.task] for column in table.columns):
        columns = [
            column
            for column in table.columns
            if tasks[column.task] == task and column.metric == first[column.task]
        ]
        panels.append(_make_panel(task, columns, sources, axis, label, table, series))
    return Figure(
        "dial",
        "Where do the methods cross?",
        "Each line is a method's score as the data changes, its band the interval.",
        (View("all", tuple(panels)),),
        tuple(series.values()),
    )


def _place_sources(settings: Settings, suite: Suite) -> tuple[dict[str, Any], str]:
    """(source → its place on the axis, the axis label)."""
    worlds = [settings.source(source).mini for source in suite.data]
    dials = [None if world is None else world.global_share for world in worlds]
    if None in dials or len(set(dials)) < len(dials):
        return {source: source for source in suite.data}, "data"
    return dict(zip(suite.data, dials, strict=True)), "global share of the preferences"


def _make_panel(
    task: str,
    columns: list[Column],
    sources: Mapping[str, str],
    axis: Mapping[str, Any],
    label: str,
    table: Table,
    series: Mapping[RowKey, Series],
) -> Panel:
    lines: Lines = {}
    for row in table.rows:
        if row.key in series:
            found = [
                (axis[sources[column.task]], row.entries[column].interval)
                for column in columns
                if column in row.entries
            ]
            if found:
                lines[series[row.key]] = found
    arrow = "↑" if columns[0].higher_is_better else "↓"
    metric = f"{columns[0].metric} {arrow}"
    data = [
        ("method", label, metric, "low", "high"),
        *(
            (s.name, str(place), f"{i.value:.3f}", format_bound(i.low), format_bound(i.high))
            for s, points in lines.items()
            for place, i in points
        ),
    ]
    return Panel(task, partial(_draw, lines=lines, label=label, metric=metric), data)


def _draw(canvas: Canvas, *, lines: Lines, label: str, metric: str) -> None:
    for series, points in lines.items():
        draw_line(canvas, series, [place for place, _ in points], [i for _, i in points], metric)
    canvas.axes.set_xlabel(label)
    canvas.axes.set_ylabel(metric)


def draw_line(
    canvas: Canvas, series: Series, places: list[Any], scores: list[Interval], metric: str
) -> None:
    """One series as a line with its intervals as a band; a bound as a dotted line without one."""
    axes, color = canvas.axes, color_of(series)
    values = [score.value for score in scores]
    if series.bound:
        style, marker, color = ":", None, MUTED
    else:
        style, marker = "-", marker_of(series)
        low = [nan if score.low is None else score.low for score in scores]
        high = [nan if score.high is None else score.high for score in scores]
        band = axes.fill_between(places, low, high, color=color, alpha=0.10, linewidth=0)
        canvas.tag(band, series=series)
    line = axes.plot(places, values, style, color=color, marker=marker, markersize=5)[0]
    tip = f"{series.name}: {metric} " + ", ".join(f"{value:.3f}" for value in values)
    canvas.tag(line, series=series, tip=tip)
