"""Several processes of this machine that share out the cells of a grid.

Each walks over all cells from a place of its own and leaves alone what another has in work
(`store.sole_writer`), so nothing has to be dealt out, and none waits for another at the end.
"""

import multiprocessing
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

from bench.cell import Outcome, run_cell
from bench.data import Data
from bench.grid import Grid, plan
from bench.models import Models
from bench.settings import Settings
from methods.runtime import Progress
from tasks.common.errors import StorageError

SECONDS = 0.2
"""Between two looks at whether a worker has died."""


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
    messages: Any = context.Queue()
    wanted = settings, grid.suite, grid.methods, grid.tasks
    crew: list[BaseProcess] = [
        context.Process(target=_work, args=(*wanted, place, number, messages), daemon=True)
        for place in range(number)
    ]
    found: dict[int, Outcome] = {}
    try:
        for worker in crew:
            worker.start()
        for message in _told(messages, crew):
            if isinstance(message, Unstorable):
                raise StorageError(message.what, mend=message.mend, file=message.file)
            outcome = Outcome(grid.cells[message.place], message.state, message.reason)
            found[message.place] = outcome
            tell(outcome)
    finally:
        for worker in crew:
            worker.terminate()
            worker.join()
    return found


def _told(messages: Any, crew: list[BaseProcess]) -> Iterator[Ran | Unstorable]:
    """Messages until no worker is left that could send one."""
    while True:
        alive = any(worker.is_alive() for worker in crew)
        try:
            while True:
                yield messages.get(timeout=SECONDS)
        except queue.Empty:
            if not alive:  # it was dead before the last look into the queue
                return


def _work(
    settings: Settings,
    suite_name: str,
    methods: tuple[str, ...],
    tasks: tuple[str, ...],
    place: int,
    number: int,
    messages: Any,
) -> None:
    """One worker's life."""
    import torch

    torch.set_num_threads(max(1, torch.get_num_threads() // number))
    parent = multiprocessing.parent_process()
    _, suite = settings.suite(suite_name)
    cells = plan(settings, suite_name, methods=methods, tasks=tasks).cells
    datas = {source: Data(settings, suite, source) for source in suite.data}
    models = Models(settings, Progress())
    start = len(cells) * place // number
    try:
        for index in [*range(start, len(cells)), *range(start)]:
            if parent is not None and not parent.is_alive():
                return
            cell = cells[index]
            outcome = run_cell(cell, settings, datas[cell.source], models, Progress())
            if outcome.state in {"done", "failed"}:
                messages.put(Ran(index, outcome.state, outcome.reason))
    except StorageError as error:
        messages.put(Unstorable(error.what, error.mend, error.file))
    except KeyboardInterrupt:
        return  # the one that started the workers tells
