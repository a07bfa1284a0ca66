"""A worker of a Ray cluster: an actor that keeps its models open from one cell to the next.

Imports no torch before the worker has said how its threads wait.
"""

import os
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from bench.cluster.needs import Needs
from bench.progress import Doing, Reporter
from bench.threads import set_threads, wait_passively
from tasks.common.errors import BenchError, ConfigError, StorageError
from tasks.common.files import content_key

if TYPE_CHECKING:
    from bench.cell import Outcome
    from bench.grid import Grid
    from bench.settings import Settings

LINGER = 90.0
"""Seconds for which a lost worker may hold the lock on its cell: its node ends it later."""
LAG = 5.0
"""Seconds after which a file that another node wrote must be seen."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to know before its first cell.

    Attributes:
        methods, tasks: what the grid was narrowed to.
        cells: digest of the grid's folders, to notice that this node plans another grid.
        tokens: files that the run has just written in the shared folders.
        folder, paths: the run's working directory and sys.path, as a child process has them.
    """

    settings: "Settings"
    suite: str
    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    cells: str
    tokens: tuple[Path, ...]
    folder: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """A BenchError in its parts, which ends the run."""

    kind: type[BenchError]
    what: str
    hint: str
    file: str | None
    id: str | None

    @classmethod
    def of(cls, error: BenchError) -> "Fault":
        """The parts of an error."""
        return cls(type(error), error.what, error.hint, error.file, error.id)

    def to_error(self) -> BenchError:
        """The error again."""
        return self.kind(self.what, hint=self.hint, file=self.file, id=self.id)


@dataclass(frozen=True)
class Ended:
    """How a cell ended: the parts of an Outcome."""

    state: str
    reason: str


def digest_cells(grid: "Grid") -> str:
    """Stands for a grid's cells: equal only where their keys are, in the same order."""
    return content_key([str(cell.folder) for cell in grid.cells])


class Worker:
    """Runs cells one by one; `describe` answers meanwhile, from another thread."""

    def __init__(self) -> None:
        self._doing = Doing("")

    def describe(self) -> Doing:
        """What the worker does now."""
        return self._doing

    def start(self, job: Job, needs: Needs) -> "str | Fault":
        """Plan the grid and open its data; returns the node's name, or what is wrong with it."""
        wait_passively()
        if not needs.gpus:  # Ray hides no GPU from a worker that takes none
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ.setdefault("TQDM_DISABLE", "1")
        sys.path.extend(path for path in job.paths if path not in sys.path)
        with suppress(OSError):  # relative paths of settings are absolute by now
            os.chdir(job.folder)
        try:
            self._open(job, needs.cpus)
        except BenchError as error:
            return Fault.of(error)
        return socket.gethostname()

    def _open(self, job: Job, threads: int) -> None:
        from bench import store
        from bench.data import open_sources
        from bench.grid import plan
        from bench.models import Models

        self._threads = threads
        for token in job.tokens:
            _require_shared(token)
            store.require_writable(token.parent)
        _, suite = job.settings.suite(job.suite)
        grid = plan(job.settings, job.suite, methods=job.methods, tasks=job.tasks)
        if digest_cells(grid) != job.cells:
            raise ConfigError(
                f"{socket.gethostname()} plans other cells than this machine",
                hint="Give all nodes the same version of pplug-bench and the same data and models",
            )
        self._settings, self._cells = job.settings, grid.cells
        self._sources = open_sources(job.settings, suite)
        self._reporter = Reporter(self._note)
        self._models = Models(job.settings, self._reporter)

    def _note(self, doing: Doing) -> None:
        self._doing = doing

    def run(self, index: int, *, again: bool) -> "Ended | Fault":
        """Run a cell of the grid.

        Args:
            again: another worker was lost while it ran this cell, and may not have ended yet.
        """
        set_threads(self._threads)
        cell = self._cells[index]
        self._reporter.start_cell(cell.title)
        deadline = monotonic() + (LINGER if again else 0)
        try:
            while (outcome := self._run(index)).state == "busy" and monotonic() < deadline:
                self._note(Doing(cell.title, "waits for its lost worker to end"))
                sleep(1)
        except BenchError as error:
            return Fault.of(error)
        return Ended(outcome.state, outcome.reason)

    def _run(self, index: int) -> "Outcome":
        from bench.cell import run_cell

        cell = self._cells[index]
        data = self._sources[cell.source]
        return run_cell(cell, self._settings, data, self._models, self._reporter)


def _require_shared(token: Path) -> None:
    deadline = monotonic() + LAG
    while not token.exists():
        if monotonic() > deadline:
            raise StorageError(
                f"{socket.gethostname()} doesn't see what this machine writes there",
                file=token.parent,
                hint="Set store.runs and store.cache to folders that all nodes share",
            )
        sleep(0.1)
