"""How useful an answer is for one example: what methods that learn from an LLM's answers go by."""

from collections.abc import Sequence

from tasks.common.errors import ConfigError
from tasks.metrics import create
from tasks.metrics.ordinal import OrdinalMetric
from tasks.task import Task


def utilities(task: Task, texts: Sequence[str | None], golds: Sequence[str]) -> list[float]:
    """The task's primary metric of each answer alone, in [0, 1], higher is better.

    Accuracy and ROUGE as they are; an error on a scale as (worst − error) / worst, where worst is
    the error of the farthest label (ROPG's reward for LaMP-3, methods.md §4). An answer that is no
    number, or lies farther off than any label, is worth 0, and so is None, a failed answer.

    Raises:
        ConfigError: the primary metric has no value for one example (F1, BLEU).
    """
    metric = create(task.metrics[0], task)
    if isinstance(metric, OrdinalMetric):
        worst = [max(abs(end - float(gold)) for end in metric.scale) for gold in golds]
        errors = metric.errors(texts, golds)
        return [max(0.0, 1 - error / far) for error, far in zip(errors, worst, strict=True)]
    rows = metric.rows(texts, golds)
    if rows.shape[1] != 1:
        raise ConfigError(
            f"{task.name}'s primary metric {metric.name!r} has no value for one example",
            hint="Put accuracy, a ROUGE or an error first in the task's `metrics`",
        )
    return [float(value) for value in rows[:, 0]]
