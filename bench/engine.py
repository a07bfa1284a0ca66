"""Where cells run: here, one after the other."""

from collections.abc import Callable

from rich.console import Console

from bench import store
from bench.cell import Outcome, run_cell
from bench.data import Data
from bench.grid import Grid
from bench.models import Models
from bench.progress import Bars
from bench.settings import Settings


def run_grid(
    settings: Settings, grid: Grid, console: Console, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every cell that isn't done. A failed cell is recorded and the grid goes on.

    Args:
        tell: called with each outcome as it comes.

    Raises:
        DataError: the data of a cell that is to be run is faulty; nothing was computed.
        StorageError: results can't be written, so nothing further could be kept.
    """
    _, suite = settings.suite(grid.suite)
    datas = {source: Data(settings, suite, source) for source in suite.data}
    if not all(store.is_done(cell.folder) for cell in grid.cells):
        store.require_writable(settings.store.runs)  # told before anything is computed, as is
    for cell in grid.cells:
        if not store.is_done(cell.folder):  # faulty data
            datas[cell.source].split(cell.task, suite.train)
            datas[cell.source].split(cell.task, suite.evaluate)
    outcomes = []
    with Bars(console, len(grid.cells)) as bars:
        models = Models(settings, bars)
        for cell in grid.cells:
            outcome = run_cell(cell, settings, datas[cell.source], models, bars)
            outcomes.append(outcome)
            tell(outcome)
            bars.cell_done()
    return outcomes
