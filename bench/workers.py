"""Several processes of this machine that share out the cells of a grid.

They are given cells one by one, each from a part of the grid of its own, then from the end of what
is left of the others': cells that share a fit stand together. Cells whose fit another worker has in
work are put off while there are others; two that need the same fit all the same, or the same
answers of an LLM, wait for each other.
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

from bench.cell import Outcome, run_cell
from bench.data import Data
from bench.grid import Grid, plan
from bench.models import Models
from bench.settings import Settings
from tasks.common.errors import StorageError
from tasks.common.progress import Progress


@dataclass(frozen=True)
class Ready:
    """A worker has started, and may be given a cell."""


@dataclass(frozen=True)
class Ran:
    """A cell's place in the grid, its state and the reason."""

    place: int
    state: str
    reason: str


@dataclass(frozen=True)
class Unstorable:
    """A StorageError's parts: what stopped a worker."""

    what: str
    hint: str
    file: str | None


def run(
    settings: Settings, grid: Grid, number: int, tell: Callable[[Outcome], None]
) -> dict[int, Outcome]:
    """The outcomes of the cells that `number` workers ran, by their place in the grid.

    Absent are those that were done before, that other runs have in work, and that a worker which
    was killed didn't finish or begin.

    Args:
        tell: called with each outcome as it comes.

    Raises:
        StorageError: a worker couldn't write results; the others are stopped.
    """
    context = multiprocessing.get_context("spawn")  # no copies of threads and locks
    wanted = settings, grid.suite, grid.methods, grid.tasks
    untried = set(range(len(grid.cells)))  # a cell that one worker failed no other tries again
    fits = [cell.fit_key for cell in grid.cells]
    crew: dict[Connection, tuple[BaseProcess, list[int]]] = {}
    in_work: dict[Connection, int] = {}
    found: dict[int, Outcome] = {}
    try:
        for place in range(number):
            here, there = context.Pipe()
            worker: BaseProcess = context.Process(
                target=_work, args=(*wanted, number, there), daemon=True
            )
            worker.start()
            crew[here] = worker, _order(len(grid.cells), place, number)
            there.close()  # the worker's own is left, so its end is seen here
        for line, message in _told(list(crew)):
            if isinstance(message, Unstorable):
                raise StorageError(message.what, hint=message.hint, file=message.file)
            if isinstance(message, Ran) and message.state in {"done", "failed"}:
                outcome = Outcome(grid.cells[message.place], message.state, message.reason)
                found[message.place] = outcome
                tell(outcome)
            in_work.pop(line, None)
            _, order = crew[line]
            given = _choose(order, untried, fits, {fits[place] for place in in_work.values()})
            if given is not None:
                untried.remove(given)
                in_work[line] = given
            with suppress(OSError):  # ended meanwhile: what it was given is left undone
                line.send(given)
    finally:
        for worker, _ in crew.values():
            worker.terminate()
        for worker, _ in crew.values():
            worker.join()
    return found


def _order(cells: int, worker: int, workers: int) -> list[int]:
    """The places of the grid in the order in which one of the workers is given them: its own part,
    then the others' from behind, so that it comes upon their fits last.
    """
    own = range(cells * worker // workers, cells * (worker + 1) // workers)
    return [*own, *(place for place in reversed(range(cells)) if place not in own)]


def _choose(
    order: Sequence[int], untried: set[int], fits: Sequence[str], busy: set[str]
) -> int | None:
    """The first place in that order whose cell nobody has tried, if possible one whose fit is not
    among the `busy` ones; None where all have been tried.
    """
    left = [place for place in order if place in untried]
    return next((place for place in left if fits[place] not in busy), left[0] if left else None)


def _told(lines: list[Connection]) -> Iterator[tuple[Connection, Ready | Ran | Unstorable]]:
    """Messages, and whose they are, until every worker has ended."""
    while lines:
        for line in wait(lines):
            assert isinstance(line, Connection)  # noqa: S101  as they were given
            try:
                yield line, line.recv()
            except (EOFError, OSError):  # ended, perhaps in the middle of a message
                lines.remove(line)


def _work(
    settings: Settings,
    suite_name: str,
    methods: tuple[str, ...],
    tasks: tuple[str, ...],
    number: int,
    line: Connection,
) -> None:
    """One worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that started it ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // number))
    try:
        _, suite = settings.suite(suite_name)
        cells = plan(settings, suite_name, methods=methods, tasks=tasks).cells
        datas = {source: Data(settings, suite, source) for source in suite.data}
        models = Models(settings, Progress())
        line.send(Ready())
        while (place := line.recv()) is not None:
            cell = cells[place]
            outcome = run_cell(cell, settings, datas[cell.source], models, Progress())
            line.send(Ran(place, outcome.state, outcome.reason))
    except StorageError as error:
        line.send(Unstorable(error.what, error.hint, error.file))


def _end_with_parent() -> None:
    """A parent that is killed takes its workers along; what is done is kept."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
