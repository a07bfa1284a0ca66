"""What a retriever is: the behaviours of a history, ranked for a query."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.example import Behavior, Example, newest_first

Scores = npt.NDArray[np.float64]


class Retriever(ABC):
    """Ranks the behaviours of an example's own history."""

    def prepare(self, examples: Sequence[Example]) -> None:
        """Do in one go what `rank` will need for `examples`. Optional: it changes no ranking."""

    @abstractmethod
    def rank(self, example: Example) -> list[int]:
        """All indices into `example.history`, best first."""

    def top(self, example: Example, k: int) -> tuple[Behavior, ...]:
        """The `k` best behaviours, best first; fewer where the history is shorter."""
        return tuple(example.history[i] for i in self.rank(example)[:k])


class ScoringRetriever(Retriever):
    """Ranks by a score; equal scores go by recency."""

    @abstractmethod
    def scores(self, example: Example) -> Scores:
        """One score per behaviour, float64 [len(history)], higher is better."""

    def rank(self, example: Example) -> list[int]:
        return best_first(example.history, self.scores(example))


def best_first(history: Sequence[Behavior], scores: Scores) -> list[int]:
    """Indices into `history` by falling score, equal scores newest first."""
    return sorted(newest_first(history), key=lambda i: -scores[i])
