"""Predictions + golds → CellScores: values for readers, per-example rows for statistics."""

from collections.abc import Sequence

from bench import store
from bench.data import open_sources
from bench.grid import Grid
from bench.records import CellScores, MetricScores
from bench.settings import Settings
from tasks import Dataset, Prediction, Task
from tasks.scoring import Scoring


def score_cell(
    task: Task, dataset: Dataset, predictions: Sequence[Prediction], scoring: Scoring
) -> CellScores:
    """Every metric of the task over all golds of the set, in the order of the golds.

    Raises ValueError for a set without golds.
    """
    if dataset.golds is None:
        raise ValueError(f"the {dataset.set} set of {dataset.task} has no golds")
    users = {example.id: example.user_id for example in dataset.examples}
    scores = task.score(predictions, dataset.golds, scoring)
    return CellScores(
        scoring=scoring,
        ids=tuple(dataset.golds),
        users=tuple(users[id] for id in dataset.golds),
        metrics={name: MetricScores.from_score(score) for name, score in scores.items()},
    )


def rescore(settings: Settings, grid: Grid) -> int:
    """Score every stored cell of a grid again, in place; returns how many. Opens no model.

    Raises StorageError where a stored file is damaged or can't be written.
    """
    _, suite = settings.suite(grid.suite)
    datas = open_sources(settings, suite)
    scored = 0
    for cell in grid.cells:
        dataset = datas[cell.source].load(cell.task, suite.evaluate)
        if store.is_done(cell.folder) and dataset.golds is not None:
            predictions = store.read_predictions(cell.folder / store.PREDICTIONS)
            scores = score_cell(cell.task(), dataset, predictions, settings.scoring.rules)
            store.write_scores(cell.folder, scores)
            scored += 1
    return scored
