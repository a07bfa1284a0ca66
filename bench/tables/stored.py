"""What the table reads back from disk: the scores and costs of finished cells."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bench import store
from bench.grid import Cell
from bench.records import CellRecord, CellScores, Totals
from bench.tables.model import RowCost
from bench.tables.terms import Terms, read_terms

NO_GOLDS = "no golds"
FAILED = "failed"
NOT_RUN = "not run"


@dataclass
class Results:
    """The stored results of one row on one task.

    Attributes:
        scores: scores.json of each seed, in the suite's order.
        seeds: the seed of each of `scores`.
        seeded: whether another seed can change the scores.
        costs, totals: of each finished cell.
        terms: what each cell's record says of the LLM that could make scores unequal.
        state: why a seed has no scores; empty if none lacks them.
        bound: whether the method is a bound, which never counts as the best.
    """

    scores: list[CellScores] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    costs: list[RowCost] = field(default_factory=list)
    totals: list[Totals] = field(default_factory=list)
    terms: list[Terms] = field(default_factory=list)
    state: str = ""
    bound: bool = False
    seeded: bool = False

    def arrays(self, metric: str) -> list[NDArray[np.float64]] | None:
        """Per-example values [n, c] of each seed; None for a metric that has none."""
        rows = [scores.metrics[metric].rows for scores in self.scores]
        return None if None in rows else [np.asarray(found, dtype=np.float64) for found in rows]

    def mean(self, metric: str) -> float:
        """The stored value, averaged over seeds."""
        return fmean(scores.metrics[metric].value for scores in self.scores)


def add_cell(results: Results, cell: Cell) -> None:
    """Add what is stored of a cell. Raises StorageError where a stored file is damaged."""
    if not store.is_done(cell.folder):
        results.state = FAILED if store.error_file(cell.folder).is_file() else NOT_RUN
        return
    record = store.read_record(cell.folder)
    results.costs.append(read_cost(record))
    results.totals.append(record.totals)
    results.terms.append(read_terms(record))
    scores = store.read_scores(cell.folder)
    if scores is None:
        results.state = NO_GOLDS
    else:
        results.scores.append(scores)
        results.seeds.append(cell.seed)


def read_cost(record: CellRecord) -> RowCost:
    """What one cell costs."""
    return RowCost(
        **asdict(record.cost),
        fit_seconds=record.fit.seconds,
        query_ms=1000 * record.seconds.predict / max(1, record.totals.n),
        prompt_tokens=record.totals.prompt_tokens_mean,
        query_read=record.totals.query_read_mean,
    )


def average_costs(costs: list[RowCost]) -> RowCost | None:
    """The mean over cells; None of no cells."""
    if not costs:
        return None
    fields = [asdict(cost) for cost in costs]
    means = {
        name: fmean(cost[name] for cost in fields) for name in fields[0] if name != "query_read"
    }
    return RowCost(**means, query_read=average_known([cost.query_read for cost in costs]))


def average_known(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are known; None if none is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
