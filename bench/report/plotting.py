"""`bench plot`: one figure of the report as a picture file."""

from pathlib import Path

from bench.grid import Grid
from bench.report.charts.files import require_matplotlib, write_figure
from bench.report.figures import KINDS, Material
from bench.report.model import Figure, View
from bench.report.series import make_series
from bench.report.stored import Finished
from bench.settings import Settings
from bench.tables import build
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean


def plot(
    settings: Settings,
    grid: Grid,
    out: Path,
    *,
    kind: str | None = None,
    view: str | None = None,
    unequal_terms: bool = False,
) -> str:
    """Write one figure; returns its kind.

    Args:
        kind: a key of `KINDS`; None: the dial where the suite has several data sources, else the
            forest plot.
        view: the name of one of its views; None: the first.
        unequal_terms: also show cells in which an LLM ran under other terms.

    Raises:
        ConfigError: matplotlib is missing, no such kind or view, nothing to draw, or the
            cells' terms differ.
        StorageError: the file can't be written, or a stored one is damaged.
    """
    require_matplotlib()
    _, suite = settings.suite(grid.suite)
    kind = kind or ("dial" if len(suite.data) > 1 else "forest")
    if kind not in KINDS:
        raise ConfigError(f"no figure {kind!r}", hint=did_you_mean(kind, list(KINDS)))
    table = build(settings, grid, allow_unequal=unequal_terms)
    if not table.columns:
        raise ConfigError(
            f"no cell of suite {grid.suite!r} is done", hint=f"Run `bench run {grid.suite}` first"
        )
    series = make_series(table, grid)
    figure = KINDS[kind](Material(settings, grid, table, series, Finished(settings, grid)))
    if figure is None:
        raise ConfigError(f"suite {grid.suite!r} has nothing for this figure", hint=HINTS[kind])
    write_figure(figure, _choose_view(figure, view), out)
    return kind


HINTS = {
    "forest": "Run its reference and another method, or give another --kind",
    "pareto": "Run a method that is no bound, or give another --kind",
    "dial": "It has one data source: name a suite whose `data` lists several, such as mini-dial",
    "cold-start": "Its histories are all of about one length: give another --kind",
}


def _choose_view(figure: Figure, wanted: str | None) -> View:
    views = {view.name: view for view in figure.views}
    if wanted is None:
        return figure.views[0]
    if wanted not in views:
        raise ConfigError(
            f"figure {figure.kind!r} has no view {wanted!r}", hint=did_you_mean(wanted, list(views))
        )
    return views[wanted]
