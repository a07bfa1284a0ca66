"""Progress bars with an estimate of the time left."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from tasks.common.progress import Progress


class Bars(Progress):
    """A bar for the grid and one for the current phase; silent where there is no terminal."""

    def __init__(self, console: Console, total: int) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._grid = self._bars.add_task("cells", total=total)
        self._phase: TaskID | None = None

    def start(self, what: str, total: int) -> None:
        """Begin a phase of `total` steps; its bar replaces the previous phase's."""
        if self._phase is not None:
            self._bars.remove_task(self._phase)
        self._phase = self._bars.add_task(what, total=total)

    def advance(self, steps: int = 1) -> None:
        """Advance the phase by `steps`."""
        if self._phase is not None:
            self._bars.advance(self._phase, steps)

    def cell_done(self) -> None:
        """Advance the grid by one cell."""
        self._bars.advance(self._grid)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()
