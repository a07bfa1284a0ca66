"""The utility of single answers, from which methods learn which prompts help an LLM."""

from collections.abc import Sequence

from tasks.common.errors import ConfigError
from tasks.metrics import create
from tasks.metrics.ordinal import OrdinalMetric
from tasks.scoring import EVALUATE
from tasks.task import Task


def utilities(task: Task, texts: Sequence[str | None], golds: Sequence[str]) -> list[float]:
    """Score each answer on its own by the task's primary metric, in [0, 1], higher is better.

    Accuracy and ROUGE are used as they are. An error on a scale becomes (worst − error) / worst,
    where worst is the error of the farthest label (ROPG's reward for LaMP-3, methods.md §4). An
    answer that is not a number, or is farther off than every label, has utility 0; so has a failed
    answer (None).

    Args:
        texts: the answers, L in number; None for failed ones.
        golds: the gold of each answer, also L.

    Raises:
        ConfigError: the primary metric is not defined for one example (F1, BLEU), or is one of
            `evaluate`, whose range is not known.
    """
    primary = task.metrics[0]
    undefined = ConfigError(
        f"{task.name}'s primary metric {primary!r} is not defined for one example in [0, 1]",
        hint="Put accuracy, a ROUGE metric or an error first in the task's `metrics`",
    )
    if primary.startswith(EVALUATE):
        raise undefined
    metric = create(primary, task)
    if isinstance(metric, OrdinalMetric):
        worst = [max(abs(end - float(gold)) for end in metric.scale) for gold in golds]
        errors = metric.errors(texts, golds)
        return [max(0.0, 1 - error / far) for error, far in zip(errors, worst, strict=True)]
    rows = metric.rows(texts, golds)
    if rows.shape[1] != 1:
        raise undefined
    return [float(value) for value in rows[:, 0]]
