"""Accuracy against cost: which methods no other one beats at its price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.report.charts.canvas import INK, MUTED, Canvas, color_of, marker_of
from bench.report.charts.forest import shorten
from bench.report.columns import primary
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
    points: list[Point] = []
    bounds: list[Point] = []
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
    shown, hidden = _split_bounds(points, bounds)
    front = sorted((p for p in points if p.front), key=lambda p: p.cost)
    note = f"On the line, cheapest first: {', '.join(p.series.name for p in front)}."
    if hidden:
        far = ", ".join(f"{bound.series.name} {bound.value:.3f}" for bound in hidden)
        note += f" Off the scale: {far}."
    arrow = "↑" if column.higher_is_better else "↓"
    data = [
        ("method", label, f"{column.metric} {arrow}", "on the front"),
        *((p.series.name, f"{p.cost:.4g}", f"{p.value:.3f}", "yes" * p.front) for p in points),
    ]
    draw = partial(_draw, column=column, points=points, bounds=shown, label=label, scale=scale)
    return Panel(column.task, draw, data, note=note)


def _split_bounds(points: list[Point], bounds: list[Point]) -> tuple[list[Point], list[Point]]:
    """(those near the points, those so far off that the points would be pressed together)."""
    low, high = min(p.value for p in points), max(p.value for p in points)
    room = max(high - low, 0.05 * max(abs(high), abs(low)), 1e-6)
    near = [bound for bound in bounds if low - room / 2 <= bound.value <= high + room / 2]
    return near, [bound for bound in bounds if bound not in near]


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
    _scale(axes, scale, [point.cost for point in points])
    front = sorted((point.cost, point.value) for point in points if point.front)
    costs, values = zip(*front, strict=True)
    axes.plot(costs, values, color=MUTED, linewidth=1.2, drawstyle="steps-post", zorder=1)
    for bound in bounds:
        axes.axhline(bound.value, color=MUTED, linewidth=1, linestyle=":", zorder=1)
        axes.annotate(
            shorten(bound.series.name),
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


def _scale(axes: Any, scale: str, costs: Sequence[float]) -> None:
    """Set the cost axis, with plain numbers at its ticks."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    if scale == "symlog":
        axes.set_xscale("symlog", linthresh=1)
    elif scale == "log" and min(costs) > 0:
        axes.set_xscale("log", subs=(2, 5))
    else:
        return
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    near = scale == "log" and max(costs) < 30 * min(costs)  # else their labels would overlap
    minor = FuncFormatter(lambda value, _: f"{value:,g}") if near else NullFormatter()
    axes.xaxis.set_minor_formatter(minor)
    axes.tick_params(axis="x", which="minor", labelcolor=INK)
