"""The project's metrics as Hugging Face `evaluate.Metric` objects.

The harness itself scores with `tasks.metrics`; this module is for code that expects `evaluate`'s
`compute(predictions=…, references=…)`. It imports `evaluate`, which is slow.
"""

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from tasks import TASKS
from tasks.metrics import create
from tasks.metrics.metric import Metric
from tasks.scoring import DEFAULT_SCORING, Scoring


class LocalMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """One of the project's metrics with the interface of `evaluate.Metric`.

    Unlike `evaluate.load`, it downloads no metric script, and it writes no files.

    An empty text stands for a failed answer.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        super().__init__(config_name=metric.name, keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self.metric).__doc__,
            citation="",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(
        self, predictions: Sequence[str], references: Sequence[str], **_: Any
    ) -> dict[str, float]:
        return {self.metric.name: self.metric.reduce(self.metric.rows(predictions, references))}


def as_evaluate(metric: str, task: str, scoring: Scoring = DEFAULT_SCORING) -> LocalMetric:
    """One of the project's metrics, as it scores a task's answers, as an `evaluate.Metric`.

    >>> as_evaluate("mae", "LaMP-3").compute(predictions=["4"], references=["5"])
    {'mae': 1.0}

    Raises ConfigError for an unknown task, or a metric that its kind doesn't have.
    """
    return LocalMetric(create(metric, TASKS.get(task)(), scoring))
