"""What a sliced table reads back from disk: scores and predictions, row by row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench import store
from bench.grid import Cell, Grid
from bench.records import CellScores
from bench.settings import Settings
from bench.tables.build import check_terms, read_results
from bench.tables.model import RowKey
from bench.tables.stored import Results
from tasks import Prediction
from tasks.common.errors import StorageError
from tasks.metrics import find_rules


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
    def scores(self) -> list[CellScores]:
        """scores.json of each seed."""
        return self.results.scores

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


def read_rows(settings: Settings, grid: Grid) -> dict[str, dict[RowKey, StoredRow]]:
    """Place → row → its stored results, in the suite's order; rows without any are included.

    Raises StorageError where a stored file is damaged, or cells were scored on other examples.
    """
    results = read_results(settings, grid)
    places: dict[str, dict[RowKey, StoredRow]] = {}
    for cell in grid.cells:
        key = RowKey.of(cell)
        of_place = places.setdefault(cell.place, {})
        row = of_place.setdefault(key, StoredRow(cell, results[key][cell.place]))
        if store.is_done(cell.folder) and not (cell.folder / store.SUBMISSION).is_file():
            predictions = store.read_predictions(cell.folder / store.PREDICTIONS)
            row.predictions.append({prediction.id: prediction for prediction in predictions})
    for place, rows in places.items():
        _require_alike(place, rows, settings)
    return places


def check_row_terms(places: Mapping[str, Rows], *, allow: bool = False) -> list[str]:
    """In what terms an LLM's cells differ, in words. Raises ConfigError unless `allow`."""
    results: dict[RowKey, dict[str, Results]] = {}
    for place, rows in places.items():
        for key, row in rows.items():
            results.setdefault(key, {})[place] = row.results
    return check_terms(results, allow=allow)


def _require_alike(place: str, rows: Rows, settings: Settings) -> None:
    stored = [(key, row, scores) for key, row in rows.items() for scores in row.results.scores]
    for key, row, scores in stored:
        first = stored[0][2]
        alike = (scores.ids, scores.scoring) == (first.ids, first.scoring)
        rules = find_rules(row.cell.task(), settings.scoring.rules)
        if not alike or scores.scoring.declared() != rules:
            raise StorageError(
                f"{place}: a cell of {key.method!r} was scored on other examples or with other "
                "[scoring] settings",
                hint="Run `bench score` so that all cells are scored alike",
            )
