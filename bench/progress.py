"""What a run is doing: bars in a terminal, now and then a line elsewhere, and a log file."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from bench.estimate import format_duration
from tasks.common.progress import Progress

FIRST_LINE, EVERY = 1.5, 30.0
"""Seconds until the first line where there are no bars, and between later ones."""
SEND = 0.25
"""Least seconds between a worker's reports of one phase."""


@dataclass(frozen=True)
class Doing:
    """What a worker does: `done` of `total` steps of the phase `what`, in the cell `title`."""

    title: str
    what: str = "start"
    done: int = 0
    total: int = 0


class Reporter(Progress):
    """Passes on what one worker does, a few times a second at most."""

    def __init__(self, send: Callable[[Doing], None]) -> None:
        self._send, self._doing, self._sent = send, Doing(""), 0.0

    def start_cell(self, title: str) -> None:
        """A cell begins."""
        self._pass_on(Doing(title))

    def start(self, what: str, total: int) -> None:
        """A phase begins."""
        self._pass_on(Doing(self._doing.title, what, 0, total))

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more of the phase as done."""
        now = self._doing
        self._doing = Doing(now.title, now.what, now.done + steps, now.total)
        if time.monotonic() - self._sent >= SEND:
            self._pass_on(self._doing)

    def _pass_on(self, doing: Doing) -> None:
        self._doing, self._sent = doing, time.monotonic()
        self._send(doing)


@dataclass
class _Worker:
    """A worker's phase, since when it lasts, and its step then (a resumed one starts late)."""

    doing: Doing = field(default_factory=lambda: Doing(""))
    since: float = field(default_factory=time.monotonic)
    first: int | None = None

    def update(self, doing: Doing) -> None:
        if (doing.title, doing.what) != (self.doing.title, self.doing.what):
            self.since, self.first = time.monotonic(), None
        elif self.first is None and doing.done:
            self.since, self.first = time.monotonic(), doing.done
        self.doing = doing

    def describe(self) -> str:
        """The cell, its phase, the phase's rate and the time left of it."""
        doing, spent = self.doing, time.monotonic() - self.since
        if not doing.total:
            return f"{doing.title}  {doing.what if doing.title != 'starting' else ''}".rstrip()
        text = f"{doing.title}  {doing.what} {doing.done}/{doing.total}"
        steps = doing.done - (self.first or 0)
        if steps <= 0 or spent <= 0:
            return text
        rate = steps / spent
        left = format_duration(max(0, doing.total - doing.done) / rate)
        return f"{text}  {rate:.3g}/s  {left} left"


class Bars:
    """A bar for the grid's cells and a row for each worker; lines where there is no terminal.

    Args:
        total: cells to run.
        log: a file that gets a line for each cell and phase that begins or ends.
    """

    def __init__(self, console: Console, total: int, *, log: Path | None = None) -> None:
        self._console, self._total, self._done = console, total, 0
        self._live = console.is_terminal
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),  # it holds names
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not self._live,
            transient=True,  # the log and the table stay
        )
        self._grid = self._bars.add_task("cells", total=total)
        self._rows: dict[int, TaskID] = {}
        self._workers: dict[int, _Worker] = {}
        self._next = time.monotonic() + FIRST_LINE
        self._log = log

    def start_worker(self, worker: int) -> None:
        """A worker starts: its imports and models take the first seconds."""
        self.show(worker, Doing("starting"))

    def show(self, worker: int, doing: Doing) -> None:
        """A worker reports what it does."""
        state = self._workers.setdefault(worker, _Worker())
        changed = (doing.title, doing.what) != (state.doing.title, state.doing.what)
        state.update(doing)
        if changed:
            self.write(f"worker {worker + 1}: {state.describe()}")
        if worker not in self._rows:
            self._rows[worker] = self._bars.add_task("", total=None)
        self._bars.update(
            self._rows[worker],
            description=f"worker {worker + 1}: {state.describe()}",
            completed=doing.done,
            total=doing.total or None,
        )
        self.tick()

    def tick(self) -> None:
        """Print a line for each worker where it is time and there are no bars."""
        if self._live or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        for worker, state in sorted(self._workers.items()):
            line = f"{self._done}/{self._total} cells  worker {worker + 1}: {state.describe()}"
            self._console.print(line, soft_wrap=True)

    def reporter(self, worker: int) -> Reporter:
        """Progress for work of this process."""
        return Reporter(lambda doing: self.show(worker, doing))

    def cell_done(self, text: str) -> None:
        """Count one more cell of the grid as done."""
        self._done += 1
        self._bars.advance(self._grid)
        self.write(text)

    def write(self, text: str) -> None:
        """A line of the log file, with the time."""
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}  {text}\n")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.write("ended" if kind is None else f"stopped: {kind.__name__}")
        self._bars.stop()
