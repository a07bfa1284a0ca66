"""What a run is doing: bars in a terminal, now and then a line elsewhere, and a log file."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from bench.estimate import format_duration
from bench.time_left import TimeLeft
from tasks.common.progress import Progress

FIRST, EVERY = 2.0, 30.0
"""Where there are no bars: seconds from the first line to the second, and at most between two."""
SEND = 0.25
"""Least seconds between a worker's reports of one phase."""
STARTING = "starting"


@dataclass(frozen=True)
class Doing:
    """What a worker does: `done` of `total` steps of the phase `what`, in the cell `title`."""

    title: str
    what: str = STARTING
    done: int = 0
    total: int = 0


class Reporter(Progress):
    """Passes on what one worker does, a few times a second at most."""

    def __init__(self, send: Callable[[Doing], None]) -> None:
        self._send, self._doing, self._sent = send, Doing(""), 0.0
        self._answered = 0

    def start_cell(self, title: str) -> None:
        """A cell begins."""
        self._enter(Doing(title))

    def start(self, what: str, total: int, done: int = 0) -> None:
        """A phase begins, or goes on after others."""
        self._enter(Doing(self._doing.title, what, done, total))

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more of the phase as done."""
        self._answered = 0
        self._doing = replace(self._doing, done=self._doing.done + steps)
        self._pass_on_soon()

    def answer(self, prompts: int) -> None:
        """Count prompts as steps that aren't reported as done yet: a step has one, mostly."""
        self._answered += prompts
        self._pass_on_soon()

    def _enter(self, doing: Doing) -> None:
        self._doing, self._answered = doing, 0
        self._pass_on()

    def _pass_on_soon(self) -> None:
        if time.monotonic() - self._sent >= SEND:
            self._pass_on()

    def _pass_on(self) -> None:
        self._sent = time.monotonic()
        doing = self._doing
        self._send(replace(doing, done=min(doing.total, doing.done + self._answered)))


@dataclass
class _Worker:
    """A worker's cell and phase.

    Attributes:
        began: phase of the cell and its steps → when the first of them was seen (of a resumed
            phase, a late one), and its number.
    """

    doing: Doing = field(default_factory=lambda: Doing("", ""))
    began: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict)

    def update(self, doing: Doing) -> None:
        if doing.title != self.doing.title:
            self.began.clear()
        phase = (doing.what, doing.total)
        if doing.done and (phase not in self.began or doing.done < self.began[phase][1]):
            self.began[phase] = (time.monotonic(), doing.done)
        self.doing = doing

    @property
    def rate(self) -> float | None:
        """Steps a second of the phase; None before there are any."""
        doing = self.doing
        since, first = self.began.get((doing.what, doing.total), (0.0, doing.done))
        steps, spent = doing.done - first, time.monotonic() - since
        return steps / spent if steps > 0 and spent > 0 else None

    @property
    def left(self) -> float | None:
        """Seconds until the phase ends, by its rate; None where there is no rate."""
        rate, steps = self.rate, self.doing.total - self.doing.done
        return None if rate is None else max(0, steps) / rate

    def describe(self) -> str:
        """The cell, its phase, the phase's rate and the time left of it."""
        doing, rate, left = self.doing, self.rate, self.left
        text = "  ".join(dict.fromkeys(part for part in (doing.title, doing.what) if part))
        if not doing.total:
            return text
        text += f" {doing.done}/{doing.total}"
        if rate is None or left is None:
            return text
        return f"{text}  {rate:.3g}/s  {format_duration(left)} left"


class Bars:
    """A bar for the grid's cells and a row for each worker; lines where there is no terminal.

    Args:
        left: the cells to run, and the time that they take.
        log: a file that gets a line for each cell and phase that begins or ends.
    """

    def __init__(self, console: Console, left: TimeLeft, *, log: Path | None = None) -> None:
        self._console, self._left, self._log = console, left, log
        self._total, self._done = left.cells, 0
        self._live = console.is_terminal
        self._bars = RichProgress(
            TextColumn("{task.description}", markup=False),  # it holds names
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not self._live,
            transient=True,  # the log and the table stay
            refresh_per_second=2,
        )
        self._grid = self._bars.add_task("cells", total=self._total)
        self._rows: dict[int, TaskID] = {}
        self._workers: dict[int, _Worker] = {}
        self._next, self._pause = time.monotonic(), FIRST

    def share(self, workers: int) -> None:
        """So many workers share the cells, as has turned out."""
        self._left.share(workers)

    def start_worker(self, worker: int) -> None:
        """A worker starts: its imports and models take the first seconds."""
        self.show(worker, Doing(""))

    def show(self, worker: int, doing: Doing) -> None:
        """A worker reports what it does."""
        state = self._workers.setdefault(worker, _Worker())
        before = state.doing
        state.update(doing)
        if doing.title and doing.title != before.title:
            self._left.begin(doing.title)
        if state.left is not None:
            self._left.show(doing.title, state.left)
        if (doing.title, doing.what) != (before.title, before.what):
            self.write(f"worker {worker + 1}: {state.describe()}")
        if self._live:
            self._draw(worker, state)
        else:
            self.tick()

    def _draw(self, worker: int, state: _Worker) -> None:
        if worker not in self._rows:
            self._rows[worker] = self._bars.add_task("", total=None)
        self._bars.update(
            self._rows[worker],
            description=f"worker {worker + 1}: {state.describe()}",
            completed=state.doing.done,
            total=state.doing.total or None,
        )
        self._bars.update(self._grid, description=f"cells{self._describe_time_left()}")

    def _describe_time_left(self) -> str:
        seconds = self._left.estimate()
        return "" if seconds is None else f", about {format_duration(seconds)} left"

    def tick(self) -> None:
        """Print a line for each worker where it is time and there are no bars."""
        if self._live or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._pause
        self._pause = min(EVERY, 2 * self._pause)
        cells = f"{self._done}/{self._total} cells{self._describe_time_left()}"
        for worker, state in sorted(self._workers.items()):
            self._console.print(f"{cells}  worker {worker + 1}: {state.describe()}", soft_wrap=True)

    def reporter(self, worker: int) -> Reporter:
        """Progress for work of this process."""
        return Reporter(lambda doing: self.show(worker, doing))

    def cell_done(self, title: str, how: str) -> None:
        """Count one more cell of the grid as done, in whichever way it ended."""
        self._done += 1
        self._left.finish(title)
        self._bars.advance(self._grid)
        self.write(f"{how}  {title}")

    def write(self, text: str) -> None:
        """A line of the log file, with the time. A run goes on without its log, and says so."""
        if self._log is None:
            return
        try:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}  {text}\n")
        except OSError as error:
            problem = f"warning  no log from here on: {self._log} ({error.strerror or error})"
            self._console.print(problem, style="yellow", soft_wrap=True)
            self._log = None

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
