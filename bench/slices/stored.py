"""What a sliced table reads back from disk: scores and predictions, row by row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench import store
from bench.grid import Cell, Grid
from bench.settings import Settings
from bench.tables.build import check_terms, read_results
from bench.tables.model import RowKey
from bench.tables.stored import Results
from tasks import Prediction
from tasks.common.errors import StorageError


@dataclass
class StoredRow:
    """The finished cells of one row in one place, one for each seed.

    Attributes:
        cell: one of them, for its task, method and options.
        results: their scores.
        predictions: of each seed with scores; by example id.
    """

    cell: Cell
    results: Results
    predictions: list[dict[str, Prediction]] = field(default_factory=list)

    @property
    def ids(self) -> tuple[str, ...]:
        """[n] the scored examples, in the order of all rows."""
        return self.results.scores[0].ids

    @property
    def users(self) -> tuple[str, ...]:
        """[n] whose each example is."""
        return self.results.scores[0].users

    def arrays(self, metric: str, members: NDArray[np.intp]) -> list[NDArray[np.float64]] | None:
        """Statistics [m, c] of some examples, for each seed; None for a metric without any."""
        arrays = self.results.arrays(metric)
        return None if arrays is None else [rows[members] for rows in arrays]

    def answers(self, ids: Iterable[str]) -> list[Prediction | None]:
        """The predictions for some examples, seed after seed; None where one is missing."""
        wanted = list(ids)
        return [of_seed.get(id) for of_seed in self.predictions for id in wanted]


Rows = Mapping[RowKey, StoredRow]
"""The stored rows of one place, in the suite's order."""


def read_rows(
    settings: Settings, grid: Grid, *, allow_unequal: bool = False
) -> tuple[dict[str, dict[RowKey, StoredRow]], list[str]]:
    """Place → row → its stored results, in the suite's order, without rows that have no scores.

    Returns:
        The rows, and in what terms they are unequal.

    Raises:
        ConfigError: cells of unequal terms, unless `allow_unequal`.
        StorageError: a stored file is damaged, or cells were scored on other examples.
    """
    results = read_results(settings, grid)
    unequal = check_terms(results, allow=allow_unequal)
    places: dict[str, dict[RowKey, StoredRow]] = {}
    for cell in grid.cells:
        key = RowKey.of(cell)
        found = results[key][cell.place]
        if not found.scores:
            continue
        row = places.setdefault(cell.place, {}).setdefault(key, StoredRow(cell, found))
        if store.is_done(cell.folder) and not (cell.folder / store.SUBMISSION).is_file():
            predictions = store.read_predictions(cell.folder / store.PREDICTIONS)
            row.predictions.append({prediction.id: prediction for prediction in predictions})
    for place, rows in places.items():
        _require_alike(place, rows, settings)
    return places, unequal


def _require_alike(place: str, rows: Rows, settings: Settings) -> None:
    stored = [(key, scores) for key, row in rows.items() for scores in row.results.scores]
    ids = stored[0][1].ids
    for key, scores in stored:
        if (scores.ids, scores.scoring) != (ids, settings.scoring.rules):
            raise StorageError(
                f"{place}: a cell of {key.method!r} was scored on other examples or with other "
                "[scoring] settings",
                hint="Run `bench score` so that all cells are scored alike",
            )
