"""Errors of answers on a scale (LaMP-3's 1 to 5).

What counts as an answer is an explicit mode, `unparsed`:

- "lamp": the whole answer as a number; what is none becomes the end of the scale that is farthest
  from the gold (the upper one where both are as far), as in LaMP's evaluation script.
- "pplug": the whole answer as a number, else its first digit, else 1, as in PPlug's released code.

nan and infinities are no numbers here. A failed prediction is the farthest end in both modes. An
answer beyond the scale, or between its labels, keeps its value and is counted as unparsed.
"""

import math
import re
from collections.abc import Sequence

from tasks.metrics.metric import Metric, Rows, column, mean
from tasks.scoring import Unparsed


class OrdinalMetric(Metric):
    """An error between numbers; rows [n, 1]."""

    higher_is_better = False

    def __init__(self, labels: Sequence[str], unparsed: Unparsed) -> None:
        self.scale = sorted(float(label) for label in labels)
        self.mode = unparsed

    def unparsed(self, prediction: str) -> bool:
        return _number(prediction) not in self.scale

    def value(self, prediction: str | None, gold: float) -> float:
        """The number that the prediction stands for, given the gold one."""
        low, high = self.scale[0], self.scale[-1]
        farthest = low if abs(low - gold) > abs(high - gold) else high
        if prediction is None:
            return farthest
        number = _number(prediction)
        if number is not None:
            return number
        if self.mode == "lamp":
            return farthest
        digit = re.search("[0-9]", prediction)
        return float(digit.group()) if digit else 1.0

    def errors(self, predictions: Sequence[str | None], references: Sequence[str]) -> list[float]:
        """Absolute errors, one per example."""
        golds = [float(reference) for reference in references]
        return [abs(self.value(p, g) - g) for p, g in zip(predictions, golds, strict=True)]


class MeanAbsoluteError(OrdinalMetric):
    """Mean absolute error."""

    name = "mae"

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        return column(self.errors(predictions, references))

    def reduce(self, rows: Rows) -> float:
        return mean(rows)


class RootMeanSquaredError(OrdinalMetric):
    """Square root of the mean squared error; rows are squared errors."""

    name = "rmse"

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        return column([error**2 for error in self.errors(predictions, references)])

    def reduce(self, rows: Rows) -> float:
        return math.sqrt(mean(rows))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
