"""Aspect recall: how much of a rubric's vocabulary an answer uses. No LLM is asked."""

from collections.abc import Sequence

from tasks.common.rubric import Rubric
from tasks.common.words import split_words
from tasks.metrics.metric import Metric, Rows, as_column, mean

SHORTEST = 4
"""Letters of a word that counts: shorter ones ("of", "the") stand in any long answer."""


class AspectRecall(Metric):
    """Share of the words of an aspect's title that the answer uses: the mean over its aspects.

    A title's words are those of `SHORTEST` letters or more (all, where none is as long), each
    counted once. It rises with an answer's length, as any recall does, and says nothing of sense;
    the metric of LaMP-QA is the judge's (`bench judge`).
    """

    name = "aspect_recall"
    is_mean = True
    bounds = (0.0, 1.0)

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        pairs = zip(predictions, references, strict=True)
        return as_column([_recall(text, Rubric.parse(gold)) for text, gold in pairs])

    def reduce(self, rows: Rows) -> float:
        return mean(rows)


def _recall(text: str | None, rubric: Rubric) -> float:
    used = set(split_words(text or ""))
    shares = []
    for aspect in rubric.aspects:
        words = set(split_words(aspect.aspect))
        wanted = {word for word in words if len(word) >= SHORTEST} or words
        shares.append(len(wanted & used) / len(wanted) if wanted else 0.0)
    return sum(shares) / len(shares)
