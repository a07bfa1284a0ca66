"""Metrics by name; each computes statistics per example and reduces them to one value.

`tasks.metrics.local` wraps a metric as a Hugging Face `evaluate.Metric`.
"""

from collections.abc import Callable

from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean
from tasks.metrics.classification import Accuracy, MacroF1
from tasks.metrics.generation import Bleu, ChrF, Meteor, Rouge
from tasks.metrics.metric import Metric
from tasks.metrics.ordinal import MeanAbsoluteError, RootMeanSquaredError
from tasks.scoring import DEFAULT_SCORING, Scoring
from tasks.task import Kind, Task

CLASSIFICATION = ("accuracy", "f1")
ORDINAL = (*CLASSIFICATION, "mae", "rmse")
GENERATION = ("rouge1", "rouge2", "rougeL", "bleu", "chrf", "meteor")

__all__ = ["Metric", "create", "names"]


def names(task: Task | type[Task]) -> tuple[str, ...]:
    """The names of the metrics for the task's kind of answer."""
    return {
        Kind.CLASSIFICATION: CLASSIFICATION,
        Kind.ORDINAL: ORDINAL,
        Kind.GENERATION: GENERATION,
    }[task.kind]


def create(name: str, task: Task, scoring: Scoring = DEFAULT_SCORING) -> Metric:
    """The metric called `name`, set up for `task` under these scoring rules.

    Raises:
        ConfigError: the name is unknown or doesn't fit the task's kind, or METEOR's data are
            missing.
    """
    known = names(task)
    if name not in known:
        raise ConfigError(
            f"unknown metric {name!r} for {task.name} ({task.kind})",
            hint=did_you_mean(name, list(known)),
        )
    factories: dict[str, Callable[[], Metric]] = {
        "accuracy": lambda: Accuracy(task.labels),
        "f1": lambda: MacroF1(task.labels),
        "mae": lambda: MeanAbsoluteError(task.labels, scoring.unparsed),
        "rmse": lambda: RootMeanSquaredError(task.labels, scoring.unparsed),
        "bleu": lambda: Bleu(task.words),
        "chrf": ChrF,
        "meteor": Meteor,
    }
    return factories[name]() if name in factories else Rouge(name, scoring.aggregator, task.words)
