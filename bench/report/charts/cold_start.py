"""Cold-start curves: the score of every method by the length of the query's history."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.report.charts.canvas import MUTED, Canvas, color_of, format_bound, marker_of
from bench.report.model import Figure, Panel, Series, View
from bench.tables.model import RowKey

if TYPE_CHECKING:
    from bench.slices import Part, SliceScore, SliceTable

Curves = dict[Series, "list[SliceScore]"]
SPREAD = 0.3
"""How far apart the series stand at one place of the axis, so that their bars don't overlap."""


def make_cold_start(table: "SliceTable", series: Mapping[RowKey, Series]) -> Figure | None:
    """A panel per task; None where no task has queries of several history lengths."""
    panels = []
    for place in dict.fromkeys(part.place for part in table.parts):
        parts = [part for part in table.parts if part.place == place]
        metrics = [score.metric for score in table.scores if score.part.place == place]
        if len(parts) < 2 or not metrics:
            continue
        curves: Curves = {}
        for score in table.scores:
            wanted = score.part.place == place and score.metric == metrics[0]
            if wanted and score.row in series:
                curves.setdefault(series[score.row], []).append(score)
        panels.append(_make_panel(place, parts, curves))
    if not panels:
        return None
    return Figure(
        "cold-start",
        "What do new users get?",
        "Scores by the number of items in the user's history, n queries each; bars are intervals. "
        "A hollow mark stands for too few users to say anything: its interval is withheld.",
        (View("all", tuple(panels)),),
        tuple(series.values()),
    )


def _make_panel(place: str, parts: "list[Part]", curves: Curves) -> Panel:
    first = next(iter(curves.values()))[0]
    metric = f"{first.metric} {'↑' if first.higher_is_better else '↓'}"
    data = [
        ("method", "history", "n", "users", metric, "low", "high"),
        *(
            (
                series.name,
                score.part.name,
                str(score.part.n),
                str(score.part.users),
                f"{score.value:.3f}",
                format_bound(score.low),
                format_bound(score.high),
            )
            for series, scores in curves.items()
            for score in scores
        ),
    ]
    return Panel(place, partial(_draw, parts=parts, curves=curves, metric=metric), data)


def _draw(canvas: Canvas, *, parts: "list[Part]", curves: Curves, metric: str) -> None:
    axes = canvas.axes
    places = {part: place for place, part in enumerate(parts)}
    drawn = [series for series in curves if not series.bound]
    for series, scores in curves.items():
        tip = f"{series.name}: " + ", ".join(f"{s.part.name}: {s.value:.3f}" for s in scores)
        if series.bound:
            x, y = [places[score.part] for score in scores], [score.value for score in scores]
            canvas.tag(axes.plot(x, y, ":", color=MUTED, linewidth=1.2)[0], series=series, tip=tip)
            continue
        shift = SPREAD * ((drawn.index(series) + 0.5) / len(drawn) - 0.5)
        for artist in _draw_curve(axes, series, scores, [places[s.part] + shift for s in scores]):
            canvas.tag(artist, series=series, tip=tip)
    axes.set_xticks(range(len(parts)), [f"{part.name}\nn={part.n}" for part in parts])
    axes.set_xlabel("items in the history")
    axes.set_ylabel(metric)


def _draw_curve(axes: Any, series: Series, scores: "list[SliceScore]", x: list[float]) -> list[Any]:
    """A line through the points that have intervals; those without one are hollow and apart."""
    color, marker = color_of(series), marker_of(series)
    sure = [(at, s) for at, s in zip(x, scores, strict=True) if s.low is not None]
    unsure = [(at, s) for at, s in zip(x, scores, strict=True) if s.low is None]
    artists = [
        axes.plot([at, at], [s.low, s.high], color=color, alpha=0.45, linewidth=1.2)[0]
        for at, s in sure
    ]
    line = ([at for at, _ in sure], [s.value for _, s in sure])
    artists += axes.plot(*line, color=color, marker=marker, markersize=5, linewidth=1.6)
    apart = ([at for at, _ in unsure], [s.value for _, s in unsure])
    artists += axes.plot(
        *apart, marker, color=color, markersize=4.5, markerfacecolor="none", alpha=0.6
    )
    return artists
