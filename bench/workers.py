"""Several processes of this machine that share the cells of a grid.

Each worker is given cells one by one: first those of its own part of the grid, then, from the end,
those left in the other parts, because cells that share a fit are neighbours. A cell whose fit
another worker is computing is postponed while there are others. Two workers that need the same fit
all the same, or the same answers of an LLM, wait for each other.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from bench import store
from bench.cell import Outcome, State, run_cell
from bench.data import open_sources
from bench.grid import Grid, plan
from bench.models import Models
from bench.progress import Bars, Doing, Reporter
from bench.settings import Settings
from bench.threads import set_threads
from tasks.common.errors import StorageError


@dataclass(frozen=True)
class Ready:
    """Message: the worker has started and can be given a cell."""


@dataclass(frozen=True)
class Finished:
    """Message: the cell at `index` of the grid ended in this state."""

    index: int
    state: State
    reason: str


@dataclass(frozen=True)
class Unstorable:
    """Message: a StorageError, in its parts, ended the worker."""

    what: str
    hint: str
    file: str | None


@dataclass(frozen=True)
class Working:
    """Message: what the worker does."""

    doing: Doing


Message = Ready | Finished | Unstorable | Working


def run(
    settings: Settings,
    grid: Grid,
    number: int,
    threads: int,
    bars: Bars,
    report: Callable[[Outcome], None],
) -> dict[int, Outcome]:
    """Run a grid's cells in `number` workers.

    Args:
        threads: of each worker.
        bars: shows what each worker does.
        report: called with each outcome as it comes.

    Returns:
        The outcomes by index in the grid. Absent are cells that were done before, cells that
        another run is computing, and those that a killed worker did not finish or start.

    Raises:
        StorageError: a worker couldn't write results; the other workers are stopped.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy threads and locks
    untried = set(range(len(grid.cells)))  # a cell that ended one worker is given to no other
    fits = [cell.fit_key for cell in grid.cells]
    processes: list[BaseProcess] = []
    orders: dict[Connection, list[int]] = {}
    running: dict[Connection, int] = {}
    found: dict[int, Outcome] = {}
    try:
        for worker in range(number):
            ours, theirs = context.Pipe()
            process: BaseProcess = context.Process(
                target=_work,
                args=(settings, grid.suite, grid.methods, grid.tasks, threads, theirs),
                daemon=True,
            )
            process.start()
            processes.append(process)
            orders[ours] = order_cells(len(grid.cells), worker, number)
            bars.start_worker(worker)
            theirs.close()  # with only the worker's copy open, its end is noticed here
        numbers = {connection: worker for worker, connection in enumerate(orders)}
        for connection, message in _receive(list(orders), bars.tick):
            if isinstance(message, Working):
                bars.show(numbers[connection], message.doing)
                continue
            if isinstance(message, Unstorable):
                raise StorageError(message.what, hint=message.hint, file=message.file)
            if isinstance(message, Finished) and message.state in {State.DONE, State.FAILED}:
                outcome = Outcome(grid.cells[message.index], message.state, message.reason)
                found[message.index] = outcome
                report(outcome)
            running.pop(connection, None)
            busy_fits = {fits[index] for index in running.values()}
            index = _choose(orders[connection], untried, fits, busy_fits)
            if index is not None:
                untried.remove(index)
                running[connection] = index
            else:
                bars.show(numbers[connection], Doing("", "no cells left"))
            with suppress(OSError):  # the worker has ended meanwhile: its cell stays undone
                connection.send(index)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
    return found


def order_cells(cells: int, worker: int, workers: int) -> list[int]:
    """The order in which one worker is given cells: its own part of the grid, then the others'
    from the end, so that it reaches the fits they are computing last.
    """
    own = range(cells * worker // workers, cells * (worker + 1) // workers)
    return [*own, *(index for index in reversed(range(cells)) if index not in own)]


def _choose(
    order: Sequence[int], untried: set[int], fits: Sequence[str], busy: set[str]
) -> int | None:
    """The first untried cell in that order, if possible one whose fit no other worker is
    computing (`busy`); None where all have been tried.
    """
    left = [index for index in order if index in untried]
    return next((index for index in left if fits[index] not in busy), left[0] if left else None)


def _receive(
    connections: list[Connection], tick: Callable[[], None]
) -> Iterator[tuple[Connection, Message]]:
    """Messages with the connection they came by, until every worker has ended.

    `tick` is called at least every second.
    """
    while connections:
        tick()
        for connection in wait(connections, timeout=1):
            assert isinstance(connection, Connection)  # noqa: S101  `wait` takes sockets too
            try:
                yield connection, connection.recv()
            except (EOFError, OSError):  # the worker has ended, perhaps in the middle of a message
                connections.remove(connection)


def _work(
    settings: Settings,
    suite_name: str,
    methods: tuple[str, ...],
    tasks: tuple[str, ...],
    threads: int,
    connection: Connection,
) -> None:
    """A worker's main function: run the cells whose indices arrive, until None does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C, the parent terminates its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    set_threads(threads)
    try:
        _, suite = settings.suite(suite_name)
        cells = plan(settings, suite_name, methods=methods, tasks=tasks).cells
        datas = open_sources(settings, suite)
        reporter = Reporter(lambda doing: connection.send(Working(doing)))
        models = Models(settings, reporter)
        connection.send(Ready())
        while (index := connection.recv()) is not None:
            cell = cells[index]
            if not store.is_done(cell.folder):
                reporter.start_cell(cell.title)
            outcome = run_cell(cell, settings, datas[cell.source], models, reporter)
            connection.send(Finished(index, outcome.state, outcome.reason))
    except StorageError as error:
        connection.send(Unstorable(error.what, error.hint, error.file))


def _end_with_parent() -> None:
    """Ends the worker when its parent is killed; finished cells are stored already."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
