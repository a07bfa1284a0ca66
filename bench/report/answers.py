"""What every row answered to the examples of one task."""

from collections import Counter
from dataclasses import dataclass

from bench import store
from bench.slices.stored import StoredRow
from bench.weights import read_weights
from tasks import Prediction
from tasks.common.errors import StorageError


@dataclass(frozen=True)
class RowAnswers:
    """One row's answers to one task.

    Attributes:
        predictions: of each seed, by example id.
        metric: the first one that has a value for each example; None where every metric is one of
            the whole set, such as BLEU.
        values: of that metric, for each example in the order of the scores, the mean over seeds.
        weights: example id → history item id → weight, of the first seed, where it was stored.
    """

    predictions: list[dict[str, Prediction]]
    metric: str | None
    values: list[float]
    weights: dict[str, dict[str, float]]

    @classmethod
    def of(cls, row: StoredRow) -> "RowAnswers":
        """Of a row that has scores.

        Raises StorageError where its predictions are not those that were scored.
        """
        for scores, predictions in zip(row.scores, row.predictions, strict=True):
            if predictions.keys() != set(scores.ids):
                raise StorageError(
                    "holds scores of other examples than predictions.jsonl",
                    file=row.cell.folder / store.SCORES,
                    hint=store.SCORE_AGAIN,
                )
        metric, values = _find_values(row)
        return cls(row.predictions, metric, values, read_weights(row.cell.folder))

    def distinct(self, id: str) -> list[tuple[Prediction, int]]:
        """The different answers to an example with their numbers of seeds, most frequent first."""
        given = [of_seed[id] for of_seed in self.predictions]
        counts = Counter(answer.text for answer in given)
        first = {answer.text: answer for answer in reversed(given)}
        return [(first[text], count) for text, count in counts.most_common()]


def _find_values(row: StoredRow) -> tuple[str | None, list[float]]:
    for name, metric in row.scores[0].metrics.items():
        if any(name not in scores.metrics for scores in row.scores):
            continue  # withheld under another seed
        rows = [scores.metrics[name].rows or () for scores in row.scores]
        if metric.rows and all(len(values) == 1 for values in metric.rows):
            by_seed = [[values[0] for values in of_seed] for of_seed in rows]
            return name, [sum(of) / len(of) for of in zip(*by_seed, strict=True)]
    return None, []
