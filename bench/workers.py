"""Several processes of this machine that share out the cells of a grid.

Each walks over all cells from a place of its own and leaves alone what another has in work
(`store.sole_writer`), so nothing has to be dealt out. Two that need the same fit, or the same
answers of an LLM, wait for each other.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from bench.cell import Outcome, run_cell
from bench.data import Data
from bench.grid import Grid, plan
from bench.models import Models
from bench.settings import Settings
from methods.runtime import Progress
from tasks.common.errors import StorageError


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
    mend: str
    file: str | None


def run(
    settings: Settings, grid: Grid, number: int, tell: Callable[[Outcome], None]
) -> dict[int, Outcome]:
    """The outcomes of the cells that `number` workers ran, by their place in the grid.

    Absent are those that were done before, that other runs have in work, and that a worker which
    was killed didn't finish.

    Args:
        tell: called with each outcome as it comes.

    Raises:
        StorageError: a worker couldn't write results; the others are stopped.
    """
    context = multiprocessing.get_context("spawn")  # no copies of threads and locks
    failed = context.Array("b", len(grid.cells))  # by one worker: no other tries again
    wanted = settings, grid.suite, grid.methods, grid.tasks
    crew: dict[Connection, BaseProcess] = {}
    found: dict[int, Outcome] = {}
    try:
        for place in range(number):
            receiver, sender = context.Pipe(duplex=False)
            worker: BaseProcess = context.Process(
                target=_work, args=(*wanted, place, number, failed, sender), daemon=True
            )
            worker.start()
            crew[receiver] = worker
            sender.close()  # the worker's own is left, so its end is seen here
        for message in _told(list(crew)):
            if isinstance(message, Unstorable):
                raise StorageError(message.what, mend=message.mend, file=message.file)
            outcome = Outcome(grid.cells[message.place], message.state, message.reason)
            found[message.place] = outcome
            tell(outcome)
    finally:
        for worker in crew.values():
            worker.terminate()
        for worker in crew.values():
            worker.join()
    return found


def _told(receivers: list[Connection]) -> Iterator[Ran | Unstorable]:
    """Messages until every worker has ended."""
    while receivers:
        for ready in wait(receivers):
            assert isinstance(ready, Connection)  # noqa: S101  as they were given
            try:
                yield ready.recv()
            except (EOFError, OSError):  # ended, perhaps in the middle of a message
                receivers.remove(ready)


def _work(
    settings: Settings,
    suite_name: str,
    methods: tuple[str, ...],
    tasks: tuple[str, ...],
    place: int,
    number: int,
    failed: Any,
    sender: Connection,
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
        start = len(cells) * place // number
        for index in [*range(start, len(cells)), *range(start)]:
            if failed[index]:
                continue
            cell = cells[index]
            outcome = run_cell(cell, settings, datas[cell.source], models, Progress())
            if outcome.state == "failed":  # and never back: "busy" may come from one that fails
                failed[index] = True
            if outcome.state in {"done", "failed"}:
                sender.send(Ran(index, outcome.state, outcome.reason))
    except StorageError as error:
        sender.send(Unstorable(error.what, error.mend, error.file))


def _end_with_parent() -> None:
    """A parent that is killed takes its workers along; what is done is kept."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
