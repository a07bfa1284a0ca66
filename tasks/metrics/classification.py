"""Accuracy and macro-F1 over the task's labels; texts are stripped and case-sensitive."""

from collections.abc import Sequence

import numpy as np

from tasks.metrics.metric import Metric, Rows, as_column, mean, require_rows


class LabelMetric(Metric):
    """A metric for answers from a closed set of labels."""

    bounds = (0.0, 1.0)

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._index = {label: index for index, label in enumerate(labels)}

    def index(self, text: str | None) -> int:
        """The index of the label; -1 for None and for text that is not a label."""
        return -1 if text is None else self._index.get(text.strip(), -1)

    def unparsed(self, prediction: str) -> bool:
        return self.index(prediction) < 0


class Accuracy(LabelMetric):
    """Fraction of answers that equal the gold label; rows [n, 1] of 0 and 1."""

    name = "accuracy"
    is_mean = True

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        pairs = zip(predictions, references, strict=True)
        return as_column([float(p is not None and p.strip() == r.strip()) for p, r in pairs])

    def reduce(self, rows: Rows) -> float:
        return mean(rows)


class MacroF1(LabelMetric):
    """Unweighted mean of the labels' F1; rows [n, 2] of (gold, predicted) label indices.

    As in LaMP's scripts, the mean is over *all* labels of the task, and a label that is neither
    gold nor predicted counts as 0 (in scikit-learn: `labels=` all labels, `average="macro"`,
    `zero_division=0`). An answer that is not a label (index -1) is a false negative of its gold
    label, but a false positive of none.
    """

    name = "f1"

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        pairs = zip(references, predictions, strict=True)
        indices = [(self.index(reference), self.index(text)) for reference, text in pairs]
        return np.array(indices, dtype=np.float64).reshape(-1, 2)

    def reduce(self, rows: Rows) -> float:
        require_rows(rows)
        size = len(self.labels)
        gold, predicted = rows.astype(np.int64).T
        correct = _count(gold[gold == predicted], size)
        total = _count(gold, size) + _count(predicted, size)
        return float(np.mean(2 * correct / np.maximum(total, 1)))


def _count(indices: np.ndarray, size: int) -> Rows:
    """Occurrences of each label [size]; -1 is ignored."""
    return np.bincount(indices[indices >= 0], minlength=size).astype(np.float64)
