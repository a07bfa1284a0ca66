"""The interface of retrievers, which rank the behaviours of a history for a query."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks.example import Behavior, Example, newest_first

Scores = npt.NDArray[np.float64]


class Retriever(ABC):
    """Ranks the behaviours of an example's own history."""

    def prepare(self, examples: Sequence[Example]) -> None:
        """Compute in batches what `rank` needs for `examples`. Optional; changes no ranking."""

    @abstractmethod
    def rank(self, example: Example) -> list[int]:
        """All indices into `example.history`, best first."""

    def top(self, example: Example, k: int) -> tuple[Behavior, ...]:
        """The `k` best behaviours, best first; fewer where the history is shorter."""
        return tuple(example.history[i] for i in self.rank(example)[:k])


class ScoringRetriever(Retriever):
    """Ranks by score, then by recency."""

    @abstractmethod
    def scores(self, example: Example) -> Scores:
        """The behaviours' scores, float64 [len(history)]; higher is better."""

    def rank(self, example: Example) -> list[int]:
        return best_first(example.history, self.scores(example))


def best_first(history: Sequence[Behavior], scores: Scores) -> list[int]:
    """Indices into `history` by descending score, equal scores newest first."""
    undated = not any(behavior.date for behavior in history)
    newest = np.array(
        range(len(history) - 1, -1, -1) if undated else newest_first(history), np.int64
    )
    order: list[int] = newest[np.argsort(-scores[newest], kind="stable")].tolist()
    return order
