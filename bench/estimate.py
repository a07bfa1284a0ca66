"""How long the cells that are left will take, from how long finished ones took."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
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
    """Seconds until `workers` have done the cells that are left, by `expect_seconds`."""
    return sum_up(expect_seconds(grid), workers)


def sum_up(expected: Mapping[str, float | None], workers: int) -> Estimate:
    """What cells take that so many workers share; expected: title of each → its seconds."""
    known = [seconds for seconds in expected.values() if seconds is not None]
    return Estimate(sum(known) / max(1, min(workers, len(expected))), len(expected) - len(known))


def expect_seconds(grid: Grid) -> dict[str, float | None]:
    """Title of each cell that isn't done → the seconds that it will take; None: not known.

    Those are the mean of finished cells of the same method and task, else of the same method.

    Cells of the same suite run with other settings count too. If they answered other queries, or
    learned from other examples, their seconds are scaled to the numbers that the planned cells
    have. Those are known from finished cells; where they aren't, such a cell is left out.
    """
    left = [cell for cell in grid.cells if not store.is_done(cell.folder)]
    folders = dict.fromkeys(cell.folder.parent for cell in grid.cells)
    records = {folder: list(_read_records(folder)) for folder in folders}
    queries = {
        record.identity["evaluate"]["data"]: record.totals.n
        for found in records.values()
        for record in found
    }
    of_rows = {(cell.variant, cell.task.name): cell for cell in grid.cells}
    of_tasks = {
        row: _scale(cell, records[cell.folder.parent], queries) for row, cell in of_rows.items()
    }
    of_methods: dict[str, list[float]] = {}
    for (variant, _), seconds in of_tasks.items():
        of_methods.setdefault(variant, []).extend(seconds)
    past = [of_tasks[cell.variant, cell.task.name] or of_methods[cell.variant] for cell in left]
    return {
        cell.title: fmean(seconds) if seconds else None
        for cell, seconds in zip(left, past, strict=True)
    }


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


def _read_records(folder: Path) -> Iterator[CellRecord]:
    """Each stored cell of a suite, task and method, whatever its seed and settings.

    Damaged records are skipped: an estimate can do without them.
    """
    for path in sorted(folder.glob(f"*/{store.RECORD}")):
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
