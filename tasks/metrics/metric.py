"""What a metric is: one row of numbers per example, and a reduction of any rows to one value."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tasks.example import Prediction, Score

Rows = npt.NDArray[np.float64]


class Metric(ABC):
    """A metric in two steps, so that resampling needs no second look at the texts.

    `reduce(rows(predictions, references))` is the metric; `reduce(rows[sample])` is the metric of a
    resample, exactly, also for metrics that are no mean of per-example values (F1, RMSE, BLEU).

    Attributes:
        name: as in a task's `metrics`.
        higher_is_better: False for errors.
    """

    name: str
    higher_is_better: bool = True

    @abstractmethod
    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        """Per-example statistics, shape [n, c]; c depends on the metric alone.

        A prediction of None (failed or missing) counts as wrong: never as absent.
        """

    @abstractmethod
    def reduce(self, rows: Rows) -> float:
        """The metric over rows [n, c], n ≥ 1. Raises ValueError for n = 0."""

    def unparsed(self, prediction: str) -> bool:  # noqa: ARG002
        """Whether the prediction is no answer of the task. Any text answers a generation task."""
        return False

    def score(self, predictions: Sequence[Prediction], golds: Mapping[str, str]) -> Score:
        """The metric over all golds, with its denominators and per-example rows, in one pass.

        Raises ValueError as `aligned` does.
        """
        texts = aligned(predictions, golds)
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


def aligned(predictions: Sequence[Prediction], golds: Mapping[str, str]) -> list[str | None]:
    """Predicted texts in the order of `golds`; None where one failed or is missing.

    Raises:
        ValueError: two predictions for one id, or one for an id without a gold.
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
    """The mean of the first column. Raises ValueError where there is no row."""
    require_rows(rows)
    return float(rows[:, 0].mean())


def require_rows(rows: Rows) -> None:
    """Raise ValueError where there is nothing to reduce."""
    if len(rows) == 0:
        raise ValueError("no examples to score")


def column(values: Sequence[float]) -> Rows:
    """Per-example values as rows [n, 1]."""
    return np.array(values, dtype=np.float64).reshape(-1, 1)
