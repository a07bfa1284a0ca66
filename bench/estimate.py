"""How long the cells that are left will take, from how long finished ones took."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from bench import store
from bench.grid import Cell, Grid
from tasks.common.errors import StorageError


@dataclass(frozen=True)
class Estimate:
    """Seconds until the cells left are done; `unknown` of them have no finished cell to go by."""

    seconds: float
    unknown: int


def estimate_time_left(grid: Grid, workers: int) -> Estimate:
    """Mean seconds of finished cells of the same method and task, else of the same method.

    Cells of the same suite run with other settings count too: they are what there is.
    """
    left = [cell for cell in grid.cells if not store.is_done(cell.folder)]
    past: dict[tuple[str, str], list[float]] = {}
    for cell in grid.cells:
        key = cell.variant, cell.task.name
        if key not in past:
            past[key] = list(_read_seconds(cell))
    expected = [_expect(cell, past) for cell in left]
    known = [seconds for seconds in expected if seconds is not None]
    parallel = max(1, min(workers, len(left)))
    return Estimate(sum(known) / parallel, len(expected) - len(known))


def _expect(cell: Cell, past: dict[tuple[str, str], list[float]]) -> float | None:
    same_task = past[cell.variant, cell.task.name]
    same_method = [
        s for (variant, _), all_ in past.items() if variant == cell.variant for s in all_
    ]
    seconds = same_task or same_method
    return fmean(seconds) if seconds else None


def _read_seconds(cell: Cell) -> Iterable[float]:
    """Seconds of each stored cell of that suite, task and method, whatever its seed and settings.

    Damaged records are skipped: an estimate can do without them.
    """
    for path in sorted(cell.folder.parent.glob(f"*/{store.RECORD}")):
        try:
            yield store.read_record(path.parent).seconds.total
        except StorageError:
            continue


def format_duration(seconds: float) -> str:
    """A rough duration for readers: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
