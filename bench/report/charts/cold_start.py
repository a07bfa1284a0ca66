"""Cold-start curves: the score of every method by the length of the query's history."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from bench.report.charts.canvas import MUTED, Canvas, color_of, marker_of
from bench.report.model import Figure, Panel, Series, View
from bench.tables.model import RowKey

if TYPE_CHECKING:
    from bench.slices import Part, SliceScore, SliceTable

Curves = dict[Series, "list[SliceScore]"]


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
        "Where few queries have such a history, the interval is wide or withheld.",
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
                "–" if score.low is None else f"{score.low:.3f}",
                "–" if score.high is None else f"{score.high:.3f}",
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
        values = [score.value for score in scores]
        tip = f"{series.name}: " + ", ".join(f"{s.part.name}: {s.value:.3f}" for s in scores)
        if series.bound:
            x = [places[score.part] for score in scores]
            line = axes.plot(x, values, ":", color=MUTED, linewidth=1.2)[0]
            canvas.tag(line, series=series, tip=tip)
            continue
        color = color_of(series)
        shift = 0.5 * (drawn.index(series) + 0.5) / len(drawn) - 0.25
        x = [places[score.part] + shift for score in scores]
        for at, score in zip(x, scores, strict=True):
            if score.low is not None:
                bar = axes.plot(
                    [at, at], [score.low, score.high], color=color, alpha=0.45, linewidth=1.2
                )[0]
                canvas.tag(bar, series=series, tip=tip)
        line = axes.plot(
            x, values, color=color, marker=marker_of(series), markersize=4.5, linewidth=1.5
        )[0]
        canvas.tag(line, series=series, tip=tip)
    axes.set_xticks(range(len(parts)), [f"{part.name}\nn={part.n}" for part in parts])
    axes.set_xlabel("items in the history")
    axes.set_ylabel(metric)
