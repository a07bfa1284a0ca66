"""Runs the cells of a grid: one after the other in this process, or in several of this machine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from bench import store, workers
from bench.cell import Outcome, State, run_cell
from bench.data import Data, open_sources
from bench.grid import Cell, Grid
from bench.models import Models
from bench.progress import Bars
from bench.scoring import check_modules
from bench.settings import Settings
from bench.threads import choose_threads, set_threads
from bench.time_left import TimeLeft
from bench.together import check_together
from methods.models.processes import ALONE, Processes
from tasks.common.launch import count_launched_here
from tasks.metrics import find_withheld

OnOutcome = Callable[[Outcome], None]
RunCells = Callable[[Settings, Grid, Bars, Console, OnOutcome], dict[int, Outcome]]
"""Runs the cells of a grid that aren't done; returns their outcomes by index in the grid."""


def run_grid(
    settings: Settings,
    grid: Grid,
    console: Console,
    report: OnOutcome,
    *,
    expected: Mapping[str, float | None] | None = None,
    log: Path | None = None,
    engine: RunCells | None = None,
    processes: Processes = ALONE,
) -> list[Outcome]:
    """Run every cell that isn't done. A failed cell is recorded, and the others still run.

    Args:
        console: for progress.
        report: called with each outcome as it comes.
        expected: title of a cell to run → the seconds that it may take, for the time left.
        log: a file that gets a line for each cell and phase.
        engine: runs the cells instead of this machine's own processes.
        processes: that run each cell together, each calling this function with equal arguments.

    Returns:
        The outcomes, in the order of the grid's cells.

    Raises:
        DataError: the data of a cell to be run is faulty; nothing was computed.
        ConfigError: a metric can't be computed, or `processes` can't run the suite together;
            nothing was computed.
        StorageError: a finished cell is damaged, and nothing was computed; or results can't be
            written, so no further cell could be stored.
    """
    _, suite = settings.suite(grid.suite)
    check_together(settings, suite, grid, processes, elsewhere=engine is not None)
    datas = open_sources(settings, suite)
    sharing = max(suite.workers, count_launched_here())
    left = [cell for cell in grid.cells if not store.is_done(cell.folder)]
    # Damaged results, an unwritable folder and faulty data are reported before any computation.
    with console.status("checking results and data …"):  # in a terminal only
        for cell in grid.cells:
            if store.is_done(cell.folder):
                store.check_cell(cell.folder)
        if left:
            store.require_writable(settings.store.runs)
        threads = choose_threads(settings, suite, sharing, grid.methods) if left else 1
        for cell in left:
            datas[cell.source].load(cell.task, suite.train)
            datas[cell.source].load(cell.task, suite.evaluate)
    _report_warnings(left, datas, console)
    _check_metrics(left, datas, settings, console)
    number = min(suite.workers, len(left))
    seconds = {cell.title: (expected or {}).get(cell.title) for cell in left}
    with Bars(console, TimeLeft(seconds, number), log=log) as bars:

        def on_outcome(outcome: Outcome) -> None:
            report(outcome)
            if outcome.state != State.KEPT:
                bars.cell_done(outcome.cell.title, outcome.state)

        elsewhere: dict[int, Outcome] = {}
        if engine is not None and left:
            elsewhere = engine(settings, grid, bars, console, on_outcome)
        elif number > 1:
            elsewhere = workers.run(settings, grid, number, threads, bars, on_outcome)
        # What a worker left undone, perhaps because it was killed, runs here.
        rest = [cell for index, cell in enumerate(grid.cells) if index not in elsewhere]
        here = _run_here(rest, settings, threads, datas, bars, on_outcome, processes)
        return [elsewhere.get(index) or next(here) for index in range(len(grid.cells))]


def _report_warnings(cells: Sequence[Cell], datas: dict[str, Data], console: Console) -> None:
    """Print once what may mislead about the data of these cells."""
    for place, cell in {cell.place: cell for cell in cells}.items():
        for warning in datas[cell.source].warnings(cell.task):
            console.print(f"warning  {place}  {warning}", style="yellow", soft_wrap=True)


def _check_metrics(
    cells: Sequence[Cell], datas: dict[str, Data], settings: Settings, console: Console
) -> None:
    """Print which metrics will be withheld. Raises ConfigError for one that can't be computed."""
    for source, task in {(cell.source, cell.task): None for cell in cells}:
        evaluated = datas[source].load(task, datas[source].suite.evaluate)
        check_modules(task(), evaluated, settings.scoring.rules)
        for metric, why in find_withheld(task(), settings.scoring.rules).items():
            line = f"warning  {task.name}  {metric} will be withheld: {why}"
            console.print(line, style="yellow", soft_wrap=True)


def _run_here(
    cells: Sequence[Cell],
    settings: Settings,
    threads: int,
    datas: dict[str, Data],
    bars: Bars,
    on_outcome: OnOutcome,
    processes: Processes,
) -> Iterator[Outcome]:
    reporter = bars.reporter(0)
    models = Models(settings, reporter, processes)
    for cell in cells:
        if not store.is_done(cell.folder):
            set_threads(threads)
            reporter.start_cell(cell.title)
        outcome = run_cell(cell, settings, datas[cell.source], models, reporter)
        on_outcome(outcome)
        yield outcome
