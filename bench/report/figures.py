"""The figures of a suite: one function for each kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import slices
from bench.grid import Grid
from bench.report.charts.cold_start import make_cold_start
from bench.report.charts.dial import make_dial
from bench.report.charts.forest import make_forest
from bench.report.charts.pareto import make_pareto
from bench.report.model import Figure, Series
from bench.report.stored import Finished
from bench.settings import Settings
from bench.tables.model import RowKey, Table
from tasks.common.errors import ConfigError


@dataclass(frozen=True)
class Material:
    """What figures are made from."""

    settings: Settings
    grid: Grid
    table: Table
    series: Mapping[RowKey, Series]
    finished: Finished


def _make_cold_start(material: Material) -> Figure | None:
    try:
        sliced = slices.build(
            material.settings,
            material.grid,
            "history",
            datas=material.finished.datas,
            everything=material.finished.rows,
        )
    except ConfigError:  # no task has a score, or none can be divided
        return None
    return make_cold_start(sliced, material.series)


KINDS: dict[str, Callable[[Material], Figure | None]] = {
    "dial": lambda m: make_dial(m.settings, m.grid, m.table, m.series),
    "forest": lambda m: make_forest(m.table, m.series),
    "pareto": lambda m: make_pareto(m.table, m.series, m.finished.costs()),
    "cold-start": _make_cold_start,
}
"""Name → what makes that figure; it gives None where the suite has nothing to draw."""


def make_figures(material: Material) -> list[Figure]:
    """Every figure that the suite has something for, in the order of the page."""
    return [figure for make in KINDS.values() if (figure := make(material)) is not None]
