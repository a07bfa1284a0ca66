"""Draws a suite over several data sources: one panel per task, one line per method."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.grid import Grid
from bench.settings import Settings, Suite
from bench.tables import build, to_frame
from tasks.budget import Budget
from tasks.common.errors import ConfigError, StorageError

PANEL = (4.2, 3.2)
"""Width and height of one panel in inches."""
PANELS_PER_LINE = 3


def draw(settings: Settings, grid: Grid, out: Path) -> None:
    """Write a picture of every method's primary metric against the data source, with intervals.

    Sources of LaMP-mini that differ in their dial are placed at its value; others at equal steps.

    Raises:
        ConfigError: the suite has one source, nothing is stored yet, or matplotlib is missing.
        StorageError: the file can't be written.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ConfigError(
            "plots need matplotlib", hint="Install it: pip install 'pplug-bench[plot]'"
        ) from error
    _, suite = settings.suite(grid.suite)
    if len(suite.data) == 1:
        raise ConfigError(
            f"suite {grid.suite!r} has one data source: there is nothing to plot against",
            hint="Name a suite whose `data` lists several, such as mini-dial",
        )
    scores = _select_primary(to_frame(build(settings, grid)), grid)
    if scores.empty:
        raise ConfigError(
            f"no cell of suite {grid.suite!r} is done", hint=f"Run `bench run {grid.suite}` first"
        )
    tasks = list(dict.fromkeys(scores["task"]))
    across = min(PANELS_PER_LINE, len(tasks))
    down = -(-len(tasks) // across)
    figure = Figure((PANEL[0] * across, PANEL[1] * down + 0.8), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).flatten()
    axis, label = _place_sources(settings, suite)
    for panel, task in zip(panels, tasks, strict=False):
        _draw_panel(panel, scores[scores["task"] == task], axis)
        panel.set(title=task, xlabel=label, ylabel=_label_metric(scores[scores["task"] == task]))
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)
    except (OSError, ValueError) as error:
        raise StorageError(
            f"the picture can't be written ({error})",
            file=out,
            hint="Choose a writable place and an ending such as .svg, .png or .pdf",
        ) from error


def _select_primary(scores: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """The primary metric's scores, with task and data source in separate columns."""
    places = {cell.place: (cell.task.name, cell.source) for cell in grid.cells}
    first = {cell.place: cell.task.metrics[0] for cell in grid.cells}
    chosen = scores[scores["metric"] == scores["task"].map(first)].copy()
    chosen["source"] = chosen["task"].map({place: both[1] for place, both in places.items()})
    chosen["task"] = chosen["task"].map({place: both[0] for place, both in places.items()})
    budgets = [
        "" if pd.isna(tokens) else f" {Budget(int(tokens), rule)}"
        for tokens, rule in zip(chosen["max_input_tokens"], chosen["budget_rule"], strict=True)
    ]
    if len({*budgets} - {""}) > 1:
        chosen["method"] = [f"{m}{b}" for m, b in zip(chosen["method"], budgets, strict=True)]
    return chosen


def _place_sources(settings: Settings, suite: Suite) -> tuple[dict[str, Any], str]:
    """(source → its place on the axis, the axis label)."""
    worlds = [settings.source(source).mini for source in suite.data]
    dials = [None if world is None else world.global_share for world in worlds]
    if None in dials or len(set(dials)) < len(dials):
        return {source: source for source in suite.data}, "data"
    return dict(zip(suite.data, dials, strict=True)), "global share of the preferences"


def _label_metric(scores: pd.DataFrame) -> str:
    first = scores.iloc[0]
    return f"{first['metric']} {'↑' if first['higher_is_better'] else '↓'}"


def _draw_panel(panel: Any, scores: pd.DataFrame, axis: dict[str, Any]) -> None:
    names: Sequence[str] = list(dict.fromkeys(scores["method"]))
    for number, name in enumerate(names):
        own = scores[scores["method"] == name]
        places = own["source"].map(axis)
        colour, style = f"C{number % 10}", "-" if number < 10 else "--"
        panel.plot(places, own["value"], style, color=colour, marker=".", label=name)
        panel.fill_between(places, own["low"], own["high"], color=colour, alpha=0.12, linewidth=0)
