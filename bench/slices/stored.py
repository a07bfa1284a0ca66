"""What a sliced table reads back from disk: scores and predictions, row by row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench import store
from bench.grid import Cell, Grid
from bench.records import CellScores
from bench.tables.model import RowKey
from bench.tables.stored import FAILED, NO_GOLDS, NOT_RUN
from tasks import Prediction
from tasks.common.errors import StorageError


@dataclass
class StoredRow:
    """The finished cells of one row in one place, one for each seed.

    Attributes:
        cell: one of them, for its task, method and options.
        scores, predictions: of each seed; predictions by example id.
        state: why a seed is missing; empty if none is.
    """

    cell: Cell
    scores: list[CellScores] = field(default_factory=list)
    predictions: list[dict[str, Prediction]] = field(default_factory=list)
    state: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """[n] the scored examples, in the order of all rows."""
        return self.scores[0].ids

    @property
    def users(self) -> tuple[str, ...]:
        """[n] whose each example is."""
        return self.scores[0].users

    def arrays(self, metric: str) -> list[NDArray[np.float64]]:
        """Per-example statistics [n, c] of each seed."""
        return [np.asarray(s.metrics[metric].rows, dtype=np.float64) for s in self.scores]

    def answers(self, ids: Iterable[str]) -> list[Prediction | None]:
        """The predictions for some examples, seed after seed; None where one is missing."""
        wanted = list(ids)
        return [of_seed.get(id) for of_seed in self.predictions for id in wanted]


Rows = Mapping[RowKey, StoredRow]
"""The stored rows of one place, in the suite's order."""


def read_rows(grid: Grid) -> dict[str, dict[RowKey, StoredRow]]:
    """Place → row → its stored results, in the suite's order; rows without any are included.

    Raises StorageError where a stored file is damaged, or cells were scored on other examples.
    """
    places: dict[str, dict[RowKey, StoredRow]] = {}
    for cell in grid.cells:
        of_place = places.setdefault(cell.place, {})
        _add_cell(of_place.setdefault(RowKey.of(cell), StoredRow(cell)), cell)
    for place, rows in places.items():
        _require_alike(place, rows)
    return places


def _add_cell(row: StoredRow, cell: Cell) -> None:
    if not store.is_done(cell.folder):
        row.state = FAILED if store.error_file(cell.folder).is_file() else NOT_RUN
        return
    scores = store.read_scores(cell.folder)
    if scores is None:
        row.state = NO_GOLDS
        return
    predictions = store.read_predictions(cell.folder / store.PREDICTIONS)
    row.scores.append(scores)
    row.predictions.append({prediction.id: prediction for prediction in predictions})


def _require_alike(place: str, rows: dict[RowKey, StoredRow]) -> None:
    stored = [(key, scores) for key, row in rows.items() for scores in row.scores]
    for key, scores in stored:
        first = stored[0][1]
        if (scores.ids, scores.scoring) != (first.ids, first.scoring):
            raise StorageError(
                f"{place}: a cell of {key.method!r} was scored on other examples or with other "
                "[scoring] settings",
                hint="Run `bench score` so that all cells are scored alike",
            )
