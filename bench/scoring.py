"""Predictions + golds → CellScores: values for readers, per-example rows for statistics."""

from collections.abc import Sequence

from bench import store
from bench.data import open_sources
from bench.grid import Cell, Grid
from bench.records import CellRecord, CellScores, MetricScores, Totals
from bench.settings import Settings
from tasks import Dataset, Prediction, Task
from tasks.common.errors import ConfigError, StorageError
from tasks.metrics import choose, create, find_rules, find_withheld
from tasks.metrics.modules import ModuleMetric
from tasks.scoring import Scoring

CHECKED_GOLDS = 8


def score_cell(
    task: Task, dataset: Dataset, predictions: Sequence[Prediction], scoring: Scoring
) -> CellScores:
    """Every metric of the task over all golds of the set, in the order of the golds.

    A metric that can't be computed on this machine is withheld, unless it is the primary one.

    Raises:
        ConfigError: the primary metric can't be computed here; a module of `evaluate` can't be
            loaded, or fails.
        ValueError: the set has no golds.
    """
    if dataset.golds is None:
        raise ValueError(f"the {dataset.set} set of {dataset.task} has no golds")
    users = {example.id: example.user_id for example in dataset.examples}
    scores = task.score(predictions, dataset.golds, scoring)
    return CellScores(
        scoring=find_rules(task, scoring, load=True),
        ids=tuple(dataset.golds),
        users=tuple(users[id] for id in dataset.golds),
        metrics={name: MetricScores.from_score(score) for name, score in scores.items()},
        withheld=find_withheld(task, scoring),
    )


def check_modules(task: Task, dataset: Dataset, scoring: Scoring) -> None:
    """Try the modules of `evaluate` that score a task on a few golds, before any LLM is asked.

    Raises ConfigError if one can't be loaded, fails, or scores failed answers as right ones.
    """
    golds = list((dataset.golds or {}).values())[:CHECKED_GOLDS]
    for name in choose(task, scoring) if golds else ():
        metric = create(name, task, scoring)
        if isinstance(metric, ModuleMetric):
            metric.check(golds)


def rescore(settings: Settings, grid: Grid) -> int:
    """Score every stored cell of a grid again, in place; returns how many. Opens no model.

    Cells of versions without checksums get theirs, after their answers were compared with what
    their records count.

    Raises:
        ConfigError: a stored score would be lost, because its metric can't be computed here.
        StorageError: a stored file is damaged or can't be written.
    """
    _, suite = settings.suite(grid.suite)
    datas = open_sources(settings, suite)
    scored = 0
    for cell in grid.cells:
        if not store.is_done(cell.folder):
            continue
        dataset = datas[cell.source].load(cell.task, suite.evaluate)
        record = store.read_record(cell.folder)
        predictions = read_whole(cell, record, dataset)
        if dataset.golds is not None:
            scores = score_cell(cell.task(), dataset, predictions, settings.scoring.rules)
            _keep_stored_metrics(cell, scores)
            store.write_scores(cell.folder, scores)
            scored += 1
        if not record.has_checksums:
            store.write_record(cell.folder, record)
    return scored


def _keep_stored_metrics(cell: Cell, scores: CellScores) -> None:
    """Raise ConfigError where the stored scores hold a metric that the new ones withhold."""
    if not scores.withheld:
        return
    try:
        stored = store.read_scores(cell.folder)
    except StorageError:
        return  # damaged: there is nothing to keep, and scoring again repairs it
    lost = [name for name in scores.withheld if stored is not None and name in stored.metrics]
    if lost:
        raise ConfigError(
            f"{lost[0]} is stored and can't be computed here ({scores.withheld[lost[0]]})",
            file=cell.folder / store.SCORES,
            hint="Score it where it can be computed, or leave these cells as they are",
        )


def read_whole(cell: Cell, record: CellRecord, dataset: Dataset) -> list[Prediction]:
    """A cell's stored predictions, one for each example of the set, as its record counts them.

    Raises StorageError where they are damaged, others, or fewer.
    """
    path = cell.folder / store.PREDICTIONS
    predictions = store.read_predictions(path)
    if [answer.id for answer in predictions] != [example.id for example in dataset.examples]:
        raise StorageError(
            f"answers {len(predictions)} examples that are not the {len(dataset)} of the "
            f"{dataset.set} set",
            file=path,
            hint=store.RUN_AGAIN,
        )
    counted = Totals.from_predictions(predictions).model_dump(exclude_none=True)
    stored = record.totals.model_dump(exclude_none=True)
    differing = [name for name in stored.keys() & counted.keys() if stored[name] != counted[name]]
    if differing:
        raise StorageError(
            f"holds other answers than its record counts ({', '.join(sorted(differing))})",
            file=path,
            hint=store.RUN_AGAIN,
        )
    return predictions
