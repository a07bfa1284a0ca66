"""Retrievers that score a user's queries together and rank each of them once a process."""

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from methods.retrieval.retriever import Scores, ScoringRetriever, best_first
from tasks.example import Example

KEPT = 2**15
"""Rankings of this many queries are kept: about 4 KB each for histories of 185."""
TOGETHER = 64
"""Queries of one user that are scored at once."""


@dataclass(frozen=True)
class Ranking:
    """The scores of one query's history, float64 [N], and its indices by rank, int32 [N]."""

    scores: Scores
    order: npt.NDArray[np.int32]


class Rankings:
    """Rankings by query and history, the least recently used ones dropped.

    They depend on the texts and dates alone, so methods, values of k and data sets share them.
    """

    def __init__(self, size: int = KEPT) -> None:
        self.size = size
        self._known: OrderedDict[Hashable, Ranking] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, example: Example) -> Ranking | None:
        """The ranking of an example's history for its query, or None."""
        key = _key(example)
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def add(self, example: Example, scores: Scores) -> Ranking:
        """Rank an example's history by `scores`, which become read-only."""
        order = np.array(best_first(example.history, scores), np.int32)
        scores.flags.writeable = order.flags.writeable = False
        ranking = Ranking(scores, order)
        self._known[_key(example)] = ranking
        while len(self._known) > self.size:
            self._known.popitem(last=False)
        return ranking


def _key(example: Example) -> Hashable:
    dates = tuple(behavior.date for behavior in example.history)
    return example.query, tuple(b.text for b in example.history), dates if any(dates) else None


class UserRetriever(ScoringRetriever):
    """A ScoringRetriever that scores all queries of a user at once.

    Args:
        rankings: known rankings, which this retriever reads and extends.
    """

    def __init__(self, rankings: Rankings) -> None:
        self.rankings = rankings

    @abstractmethod
    def score_user(self, examples: Sequence[Example]) -> list[Scores]:
        """The scores of each example's history, float64 [len(history)] each, in a new array.

        The examples' histories usually share most of their behaviours. What an example's scores
        are must not depend on the others.
        """

    def prepare(self, examples: Sequence[Example]) -> None:
        users: dict[str, list[Example]] = {}
        for example in examples:
            if self.rankings.get(example) is None:
                users.setdefault(example.user_id, []).append(example)
        for user in users.values():
            for start in range(0, len(user), TOGETHER):
                asked = user[start : start + TOGETHER]
                for example, scores in zip(asked, self.score_user(asked), strict=True):
                    self.rankings.add(example, scores)

    def scores(self, example: Example) -> Scores:
        return self._find(example).scores

    def rank(self, example: Example) -> list[int]:
        order: list[int] = self._find(example).order.tolist()
        return order

    def _find(self, example: Example) -> Ranking:
        known = self.rankings.get(example)
        return known or self.rankings.add(example, self.score_user([example])[0])
