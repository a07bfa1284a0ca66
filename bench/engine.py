"""Where cells run: here, one after the other, or in several processes of this machine."""

from collections.abc import Callable, Sequence

from rich.console import Console

from bench import store, workers
from bench.cell import Outcome, run_cell
from bench.data import Data
from bench.grid import Cell, Grid
from bench.models import Models
from bench.progress import Bars
from bench.settings import Settings

OnOutcome = Callable[[Outcome], None]


def run_grid(settings: Settings, grid: Grid, console: Console, tell: OnOutcome) -> list[Outcome]:
    """Run every cell that isn't done. A failed cell is recorded and the grid goes on.

    Args:
        tell: called with each outcome as it comes.

    Raises:
        DataError: the data of a cell that is to be run is faulty; nothing was computed.
        StorageError: results can't be written, so nothing further could be kept.
    """
    _, suite = settings.suite(grid.suite)
    datas = {source: Data(settings, suite, source) for source in suite.data}
    left = [cell for cell in grid.cells if not store.is_done(cell.folder)]
    if left:
        store.require_writable(settings.store.runs)  # told before anything is computed, as is
    for cell in left:  # faulty data
        datas[cell.source].split(cell.task, suite.train)
        datas[cell.source].split(cell.task, suite.evaluate)
    with Bars(console, len(grid.cells)) as bars:

        def told(outcome: Outcome) -> None:
            tell(outcome)
            bars.cell_done()

        elsewhere: dict[int, Outcome] = {}
        number = min(suite.workers, len(left))
        if number > 1:
            elsewhere = workers.run(settings, grid, number, told)
        # What a worker left undone (it may have been killed) is run here.
        rest = [cell for place, cell in enumerate(grid.cells) if place not in elsewhere]
        here = iter(_run_here(rest, settings, datas, bars, told))
        return [elsewhere.get(place) or next(here) for place in range(len(grid.cells))]


def _run_here(
    cells: Sequence[Cell], settings: Settings, datas: dict[str, Data], bars: Bars, told: OnOutcome
) -> list[Outcome]:
    outcomes = []
    models = Models(settings, bars)
    for cell in cells:
        outcome = run_cell(cell, settings, datas[cell.source], models, bars)
        outcomes.append(outcome)
        told(outcome)
    return outcomes
