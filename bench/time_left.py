"""How long a run will go on, from finished cells of before, and from what this run has shown."""

import time
from collections.abc import Mapping
from statistics import fmean


class TimeLeft:
    """The cells of a run and what is known of their seconds.

    Args:
        expected: title of each cell to run → its seconds by earlier cells; None: not known.
        workers: that share the cells.

    Attributes:
        cells: their number at the start.
    """

    def __init__(self, expected: Mapping[str, float | None], workers: int) -> None:
        self._left = dict(expected)
        self.cells = len(expected)
        self.share(workers)
        self._began: dict[str, float] = {}
        self._rest: dict[str, float] = {}
        self._took: list[float] = []

    def share(self, workers: int) -> None:
        """So many workers share the cells, as has turned out."""
        self._workers = max(1, min(workers, self.cells))

    def begin(self, title: str) -> None:
        """A cell begins."""
        if title in self._left:
            self._began[title] = time.monotonic()

    def show(self, title: str, rest: float) -> None:
        """By its rate, what a running cell does takes `rest` seconds more."""
        self._rest[title] = rest

    def finish(self, title: str) -> None:
        """A cell has ended, or another process runs it."""
        self._left.pop(title, None)
        if title in self._began:
            self._took.append(time.monotonic() - self._began.pop(title))

    def estimate(self) -> float | None:
        """Seconds until all cells are done; None where nothing says it.

        A cell takes what earlier ones took, else the mean of the cells of this run: those that
        ended, and those that run and have a rate.
        """
        spent = {title: time.monotonic() - began for title, began in self._began.items()}
        running = {
            title: seconds + self._rest[title]
            for title, seconds in spent.items()
            if title in self._rest
        }
        seen = [*self._took, *running.values()]
        total = 0.0
        for title, expected in self._left.items():
            seconds = expected if expected is not None else running.get(title)
            if seconds is None:
                if not seen:
                    return None
                seconds = fmean(seen)
            total += max(0.0, seconds - spent.get(title, 0.0))
        return total / self._workers
