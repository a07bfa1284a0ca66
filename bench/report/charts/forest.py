"""Forest plots: every row's difference to another one, with its interval."""

from collections.abc import Callable, Mapping
from functools import partial

from bench.report.charts.canvas import GRID, INK, PAPER, Canvas, color_of, marker_of
from bench.report.columns import primary
from bench.report.model import Figure, Panel, Series, View
from bench.report.verdicts import Gain, Verdict, judge
from bench.statistics import Comparison
from bench.tables.model import Column, Entry, Row, RowKey, Table

LONGEST_NAME = 26
Field = Callable[[Entry], Comparison | None]


def make_forest(table: Table, series: Mapping[RowKey, Series]) -> Figure | None:
    """Differences to the reference, to the control and to instruction-only; None without any."""
    opponents: dict[str, Field] = {
        table.reference: lambda entry: entry.to_reference,
        "itself with another user's history": lambda entry: entry.to_control,
    }
    if table.instruction_only is not None:
        opponents[f"{table.instruction_only} (no user)"] = lambda entry: entry.to_instruction_only
    views = []
    for name, field in opponents.items():
        panels = [_make_panel(column, table.rows, series, field) for column in primary(table)]
        present = tuple(panel for panel in panels if panel is not None)
        if present:
            views.append(View(f"against {name}", present))
    if not views:
        return None
    return Figure(
        "forest",
        "How much better, and how surely?",
        "Each mark is a method's gain, each line its interval. Right of 0 is better, for errors "
        "too. A filled mark is a difference that the test supports; a hollow one may be chance.",
        tuple(views),
    )


def _make_panel(
    column: Column, rows: tuple[Row, ...], series: Mapping[RowKey, Series], field: Field
) -> Panel | None:
    gains: list[tuple[Series, Gain]] = []
    for row in rows:
        of_row, entry = series.get(row.key), row.entries.get(column)
        gain = None if entry is None else judge(field(entry))
        if gain is not None and of_row is not None and not of_row.bound:
            gains.append((of_row, gain))
    if not gains:
        return None
    unit = column.metric if column.higher_is_better else f"{column.metric} saved"
    header = ("method", f"gain in {unit}", "low", "high", "p", "verdict", "why")
    data = [
        header,
        *(
            (
                s.name,
                f"{g.value:+.3f}",
                _format(g.low),
                _format(g.high),
                _format_p(g.p),
                g.verdict,
                g.reason,
            )
            for s, g in gains
        ),
    ]
    size = (4.4, 1.0 + 0.24 * len(gains))
    return Panel(column.task, partial(_draw, gains=gains, unit=unit), data, size)


def _draw(canvas: Canvas, *, gains: list[tuple[Series, Gain]], unit: str) -> None:
    axes = canvas.axes
    axes.axvline(0, color=INK, linewidth=1)
    for place, (series, gain) in enumerate(gains):
        color = color_of(series)
        tip = f"{series.name}: {gain.describe()}"
        if gain.low is not None:
            line = axes.plot([gain.low, gain.high], [place, place], color=color, linewidth=1.8)[0]
            canvas.tag(line, series=series, tip=tip)
        mark = axes.plot(
            gain.value,
            place,
            marker_of(series),
            color=color,
            markerfacecolor=PAPER if gain.verdict is Verdict.UNCLEAR else color,
            markersize=6,
        )[0]
        canvas.tag(mark, series=series, tip=tip)
    axes.set_yticks(range(len(gains)), [shorten(series.name) for series, _ in gains])
    axes.set_ylim(len(gains) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.grid(color=GRID, axis="x")
    axes.set_xlabel(f"gain in {unit}: better →")


def _format(bound: float | None) -> str:
    return "–" if bound is None else f"{bound:+.3f}"


def _format_p(p: float | None) -> str:
    return "–" if p is None else f"{p:.3g}"


def shorten(name: str) -> str:
    """A name short enough to stand beside a plot."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
