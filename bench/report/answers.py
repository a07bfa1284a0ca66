"""What every row answered to the examples of one task, read from stored predictions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import store
from bench.grid import Cell
from bench.records import CellScores
from bench.weights import read_weights
from tasks import Prediction
from tasks.common.errors import StorageError


@dataclass
class RowAnswers:
    """One row's answers to one task.

    Attributes:
        cell: one of its cells, for its method and task.
        predictions, scores: of each seed.
        weights: example id → history item id → weight, of the first seed, where it was stored.
    """

    cell: Cell
    predictions: list[dict[str, Prediction]] = field(default_factory=list)
    scores: list[CellScores] = field(default_factory=list)
    weights: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, cell: Cell) -> None:
        """Add a finished cell. Raises StorageError where a stored file is damaged."""
        scores = store.read_scores(cell.folder)
        if scores is None:
            return
        found = store.read_predictions(cell.folder / store.PREDICTIONS)
        predictions = {prediction.id: prediction for prediction in found}
        if predictions.keys() != set(scores.ids):
            raise StorageError(
                "holds scores of other examples than predictions.jsonl",
                file=cell.folder / store.SCORES,
                hint=store.SCORE_AGAIN,
            )
        if not self.predictions:
            self.weights = read_weights(cell.folder)
        self.predictions.append(predictions)
        self.scores.append(scores)

    def values(self) -> tuple[str, list[float]] | None:
        """(metric, value of each example, the mean over seeds) of the first metric that has them.

        None where every metric is one of the whole set, such as BLEU.
        """
        for name, metric in self.scores[0].metrics.items():
            if all(len(row) == 1 for row in metric.rows):
                columns = [[row[0] for row in s.metrics[name].rows] for s in self.scores]
                return name, [sum(of) / len(of) for of in zip(*columns, strict=True)]
        return None

    def distinct(self, id: str) -> list[tuple[Prediction, int]]:
        """The different answers to an example with their numbers of seeds, most frequent first."""
        given = [of_seed[id] for of_seed in self.predictions]
        counts = Counter(answer.text for answer in given)
        first = {answer.text: answer for answer in reversed(given)}
        return [(first[text], count) for text, count in counts.most_common()]


def read_answers(cells: Sequence[Cell]) -> RowAnswers:
    """The answers of one row's finished cells."""
    answers = RowAnswers(cells[0])
    for cell in cells:
        answers.add(cell)
    return answers
