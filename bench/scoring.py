"""Predictions + golds → scores.json: values for readers, per-example rows for statistics."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench import store
from bench.data import Data
from bench.grid import Grid
from bench.settings import ScoringSettings, Settings
from tasks import Dataset, Prediction, Task
from tasks.common.files import write_json
from tasks.metrics import create, score_rows


def score_cell(
    task: Task, split: Dataset, predictions: Sequence[Prediction], scoring: ScoringSettings
) -> dict[str, Any]:
    """Every metric of the task, with the rows that resampling needs.

    Returns JSON: {"scoring", "ids", "users", "metrics": {name: Score's fields + "rows" [n][c]}},
    ids and users in the order of the rows.
    """
    if split.golds is None:
        raise ValueError(f"the {split.set} set of {split.task} has no golds")
    scores = task.score(
        predictions, split.golds, unparsed=scoring.unparsed, aggregator=scoring.aggregator
    )
    users = {example.id: example.user_id for example in split.examples}
    metrics: dict[str, Any] = {}
    ids: Sequence[str] = []
    for name, score in scores.items():
        metric = create(name, task, unparsed=scoring.unparsed, aggregator=scoring.aggregator)
        ids, rows = score_rows(predictions, split.golds, metric)
        metrics[name] = {**asdict(score), "rows": rows.tolist()}
    return {
        "scoring": {"unparsed": scoring.unparsed, "aggregator": scoring.aggregator},
        "ids": list(ids),
        "users": [users[id] for id in ids],
        "metrics": metrics,
    }


def rescore(settings: Settings, grid: Grid) -> int:
    """Score every stored cell of a grid again, in place; returns how many. Opens no model.

    Raises StorageError where a stored file is damaged or can't be written.
    """
    _, suite = settings.suite(grid.suite)
    datas = {source: Data(settings, suite, source) for source in suite.data}
    scored = 0
    for cell in grid.cells:
        split = datas[cell.source].split(cell.task, suite.evaluate)
        if store.is_done(cell.folder) and split.golds is not None:
            predictions = store.read_predictions(cell.folder / store.PREDICTIONS)
            scores = score_cell(cell.task(), split, predictions, settings.scoring)
            write_json(cell.folder / store.SCORES, scores)
            scored += 1
    return scored
