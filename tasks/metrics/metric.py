"""The Metric interface: a row of statistics per example, and a reduction of rows to one value."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tasks.example import Prediction, Score

Rows = npt.NDArray[np.float64]


class Metric(ABC):
    """A metric computed in two steps, so that resampling doesn't process the texts again.

    `reduce(rows(predictions, references))` is the metric, and `reduce(rows[sample])` is exactly the
    metric of a resample. This also holds for metrics that are not means over examples, such as F1,
    RMSE and BLEU.

    Attributes:
        name: the name in a task's `metrics`.
        higher_is_better: False for errors.
        is_mean: whether `reduce` is the mean of the rows' single column; statistics then leave out
            all users at once.
        bounds: the lowest and the highest value it can have; intervals end there.
    """

    name: str
    higher_is_better: bool = True
    is_mean: bool = False
    bounds: tuple[float, float] = (-math.inf, math.inf)

    @abstractmethod
    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        """Statistics per example, shape [n, c]; c depends only on the metric.

        A prediction of None (failed or missing) counts as wrong; it is never left out.
        """

    @abstractmethod
    def reduce(self, rows: Rows) -> float:
        """The metric over rows [n, c]. Raises ValueError if n = 0."""

    def check_available(self) -> None:
        """Raise ConfigError, with how to get it, if something that the metric needs is missing."""

    def unparsed(self, prediction: str) -> bool:  # noqa: ARG002
        """Whether the prediction can't be read as an answer; never, for a generation task."""
        return False

    def score(self, predictions: Sequence[Prediction], golds: Mapping[str, str]) -> Score:
        """The metric over all golds, with its denominators and per-example rows, in one pass.

        Raises ValueError as `align` does.
        """
        texts = align(predictions, golds)
        rows = self.rows(texts, list(golds.values()))
        return Score(
            metric=self.name,
            value=self.reduce(rows),
            n=len(golds),
            n_failed=sum(text is None for text in texts),
            n_unparsed=sum(text is not None and self.unparsed(text) for text in texts),
            higher_is_better=self.higher_is_better,
            rows=tuple(map(tuple, rows.tolist())),
        )


def align(predictions: Sequence[Prediction], golds: Mapping[str, str]) -> list[str | None]:
    """Predicted texts in the order of `golds`, with None for failed and missing predictions.

    Raises:
        ValueError: an id has two predictions, or a prediction but no gold.
    """
    texts: dict[str, str | None] = {}
    for prediction in predictions:
        if prediction.id in texts:
            raise ValueError(f"two predictions for id {prediction.id!r}")
        if prediction.id not in golds:
            raise ValueError(f"a prediction for id {prediction.id!r}, which has no gold")
        texts[prediction.id] = prediction.text
    return [texts.get(id) for id in golds]


def mean(rows: Rows) -> float:
    """The mean of the first column. Raises ValueError if there are no rows."""
    require_rows(rows)
    return float(rows[:, 0].mean())


def require_rows(rows: Rows) -> None:
    """Raise ValueError if there are no rows."""
    if len(rows) == 0:
        raise ValueError("no examples to score")


def as_column(values: Sequence[float]) -> Rows:
    """Per-example values as rows [n, 1]."""
    return np.array(values, dtype=np.float64).reshape(-1, 1)
