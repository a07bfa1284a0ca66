"""Accuracy against cost: which methods no other one beats at its price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.report.charts.canvas import INK, MUTED, Canvas, color_of, marker_of
from bench.report.charts.forest import primary, shorten
from bench.report.model import Figure, Panel, Series, View
from bench.tables.model import Column, RowCost, RowKey, Table

COSTS = {
    "milliseconds a query": ("query_ms", "log"),
    "prompt tokens a query": ("prompt_tokens", "linear"),
    "seconds of training, all users": ("fit_seconds", "symlog"),
}
"""What is called a cost → field of `RowCost`, scale of the axis."""
Costs = Mapping[tuple[RowKey, str], RowCost]
"""(row, task) → its cost."""


@dataclass(frozen=True)
class Point:
    """One row of one task; `front` if no other row is at once as cheap and better."""

    series: Series
    cost: float
    value: float
    front: bool = False


def make_pareto(table: Table, series: Mapping[RowKey, Series], costs: Costs) -> Figure | None:
    """A panel per task for every kind of cost; None where nothing is scored."""
    views = []
    for label, (field, scale) in COSTS.items():
        panels = []
        for column in primary(table):
            points, bounds = _collect(table, column, series, costs, field)
            if points:
                panels.append(_make_panel(column, points, bounds, label, scale))
        if panels:
            views.append(View(label, tuple(panels)))
    if not views:
        return None
    drawn = tuple(s for s in series.values() if not s.bound)
    return Figure(
        "pareto",
        "What does the accuracy cost?",
        "Up and to the left is better: the score of every method against what it costs. The line "
        "joins the methods that no other beats at their price; dotted lines are bounds. It goes by "
        "the scores alone: whether two methods differ is for the tests to say.",
        tuple(views),
        drawn,
    )


def find_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which (cost, gain) points no other one dominates: none is at most as dear and better.

    Equal points are all on the front.
    """
    return [
        not any((c <= cost and g > gain) or (c < cost and g >= gain) for c, g in points)
        for cost, gain in points
    ]


def _collect(
    table: Table,
    column: Column,
    series: Mapping[RowKey, Series],
    costs: Costs,
    field: str,
) -> tuple[list[Point], list[Point]]:
    """(points, bounds)."""
    points, bounds = [], []
    for row in table.rows:
        if row.key in series and column in row.entries and (row.key, column.task) in costs:
            cost = float(getattr(costs[row.key, column.task], field))
            point = Point(series[row.key], cost, row.entries[column].interval.value)
            (bounds if point.series.bound else points).append(point)
    sign = 1 if column.higher_is_better else -1
    fronts = find_front([(point.cost, sign * point.value) for point in points])
    return (
        [Point(p.series, p.cost, p.value, f) for p, f in zip(points, fronts, strict=True)],
        bounds,
    )


def _make_panel(
    column: Column, points: list[Point], bounds: list[Point], label: str, scale: str
) -> Panel:
    arrow = "↑" if column.higher_is_better else "↓"
    data = [
        ("method", label, f"{column.metric} {arrow}", "on the front"),
        *((p.series.name, f"{p.cost:.4g}", f"{p.value:.3f}", "yes" * p.front) for p in points),
    ]
    draw = partial(_draw, column=column, points=points, bounds=bounds, label=label, scale=scale)
    return Panel(column.task, draw, data)


def _draw(
    canvas: Canvas,
    *,
    column: Column,
    points: list[Point],
    bounds: list[Point],
    label: str,
    scale: str,
) -> None:
    axes = canvas.axes
    if scale == "symlog":
        axes.set_xscale("symlog", linthresh=1)
    elif scale == "log" and all(point.cost > 0 for point in points):
        axes.set_xscale("log")
    front = sorted((point.cost, point.value) for point in points if point.front)
    axes.plot(
        *zip(*front, strict=True), color=MUTED, linewidth=1.2, drawstyle="steps-post", zorder=1
    )
    for bound in bounds:
        axes.axhline(bound.value, color=MUTED, linewidth=1, linestyle=":", zorder=1)
        axes.annotate(
            bound.series.name,
            (1, bound.value),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=MUTED,
        )
    for point in points:
        mark = axes.plot(
            point.cost,
            point.value,
            marker_of(point.series),
            color=color_of(point.series),
            markersize=7,
            linestyle="none",
        )[0]
        tip = f"{point.series.name}: {column.metric} {point.value:.3f}, {point.cost:.4g} {label}"
        canvas.tag(mark, series=point.series, tip=tip)
    axes.margins(x=0.12, y=0.12)
    axes.set_xlabel(label, color=INK)
    axes.set_ylabel(f"{column.metric} {'↑' if column.higher_is_better else '↓ (axis turned)'}")
    if not column.higher_is_better:
        axes.invert_yaxis()
    for point in points:
        if point.front:
            _name(axes, point)


def _name(axes: Any, point: Point) -> None:
    """Write a point's name beside it, on the side of the middle of the axes."""
    place = axes.transAxes.inverted().transform(axes.transData.transform((point.cost, point.value)))
    left = place[0] > 0.5
    axes.annotate(
        shorten(point.series.name),
        (point.cost, point.value),
        xytext=(-7 if left else 7, 4),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize=7.5,
        color=color_of(point.series),
    )
