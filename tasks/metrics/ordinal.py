"""Mean absolute and root mean squared error of answers on a scale (LaMP-3's 1 to 5).

An answer that is a number keeps its value; if that is not a label of the scale, it is also counted
as unparsed. nan, infinities and numbers of more than 15 digits, which an LLM writes that repeats
itself, don't count as numbers. How other answers are scored depends on the
mode `unparsed`:

- "lamp": as the end of the scale farthest from the gold (the upper end if both are equally far), as
  in LaMP's evaluation script.
- "pplug": as the first digit in the answer, or 1 if there is none, as in PPlug's released code.

A failed prediction is scored as the farthest end in both modes.
"""

import math
import re
from collections.abc import Sequence

from tasks.metrics.metric import Metric, Rows, as_column, mean
from tasks.scoring import Unparsed

LARGEST = 1e15
"""Numbers from here on are no answers: their squares are no longer exact, or even finite."""


class OrdinalMetric(Metric):
    """An error between the predicted and the gold number; rows [n, 1]."""

    higher_is_better = False
    bounds = (0.0, math.inf)

    def __init__(self, labels: Sequence[str], unparsed: Unparsed) -> None:
        self.scale = sorted(float(label) for label in labels)
        self.mode = unparsed

    def unparsed(self, prediction: str) -> bool:
        return _parse_number(prediction) not in self.scale

    def value(self, prediction: str | None, gold: float) -> float:
        """The number as which the prediction is scored; it may depend on the gold."""
        low, high = self.scale[0], self.scale[-1]
        farthest = low if abs(low - gold) > abs(high - gold) else high
        if prediction is None:
            return farthest
        number = _parse_number(prediction)
        if number is not None:
            return number
        if self.mode == "lamp":
            return farthest
        digit = re.search("[0-9]", prediction)
        return float(digit.group()) if digit else 1.0

    def errors(self, predictions: Sequence[str | None], references: Sequence[str]) -> list[float]:
        """The absolute error of each example."""
        golds = [float(reference) for reference in references]
        return [abs(self.value(p, g) - g) for p, g in zip(predictions, golds, strict=True)]


class MeanAbsoluteError(OrdinalMetric):
    """Mean absolute error."""

    name = "mae"
    is_mean = True

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        return as_column(self.errors(predictions, references))

    def reduce(self, rows: Rows) -> float:
        return mean(rows)


class RootMeanSquaredError(OrdinalMetric):
    """Square root of the mean squared error; rows hold squared errors."""

    name = "rmse"

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        return as_column([error**2 for error in self.errors(predictions, references)])

    def reduce(self, rows: Rows) -> float:
        return math.sqrt(mean(rows))


def _parse_number(text: str) -> float | None:
    """The number below `LARGEST` that the whole text spells, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < LARGEST else None
