"""How long the cells that are left will take, from how long finished ones took."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from bench import store
from bench.grid import Cell, Grid
from bench.records import CellRecord
from tasks.common.errors import StorageError


@dataclass(frozen=True)
class Estimate:
    """Seconds until the cells left are done; `unknown` of them have no finished cell to go by."""

    seconds: float
    unknown: int


def estimate_time_left(grid: Grid, workers: int) -> Estimate:
    """Mean seconds of finished cells of the same method and task, else of the same method.

    Cells of the same suite run with other settings count too. If they answered other queries, or
    learned from other examples, their seconds are scaled to the numbers that the planned cells
    have. Those are known from finished cells; where they aren't, such a cell is left out.
    """
    left = [cell for cell in grid.cells if not store.is_done(cell.folder)]
    records = {cell.folder.parent: list(_read_records(cell)) for cell in grid.cells}
    queries = {
        record.identity["evaluate"]["data"]: record.totals.n
        for found in records.values()
        for record in found
    }
    past = {
        (cell.variant, cell.task.name): _scale(cell, records[cell.folder.parent], queries)
        for cell in grid.cells
    }
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


def _scale(cell: Cell, records: list[CellRecord], queries: dict[str, int]) -> list[float]:
    """What a cell would have taken for each record of its task and method.

    `queries`: hash of an evaluated set → number of its queries.
    """
    train, evaluate = cell.depends_on.train.data, cell.depends_on.evaluate.data
    examples = {record.identity["train"]["data"]: record.fit.examples for record in records}
    scaled: list[float] = []
    for record in records:
        predict = _ratio(record.totals.n, queries.get(evaluate))
        if record.identity["evaluate"]["data"] == evaluate:
            predict = 1.0
        fit = _ratio(record.fit.examples, examples.get(train))
        if record.identity["train"]["data"] == train or not record.fit.examples:
            fit = 1.0
        if fit is not None and predict is not None:
            seconds = record.seconds
            scaled.append(seconds.load + seconds.fit * fit + seconds.predict * predict)
    return scaled


def _ratio(before: int, now: int | None) -> float | None:
    """`now` in units of `before`; None where either is unknown."""
    return now / before if now and before else None


def _read_records(cell: Cell) -> Iterator[CellRecord]:
    """Each stored cell of that suite, task and method, whatever its seed and settings.

    Damaged records are skipped: an estimate can do without them.
    """
    for path in sorted(cell.folder.parent.glob(f"*/{store.RECORD}")):
        try:
            record = store.read_record(path.parent)
            if {"train", "evaluate"} <= record.identity.keys():
                yield record
        except StorageError:
            continue


def format_duration(seconds: float) -> str:
    """A rough duration for readers: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
