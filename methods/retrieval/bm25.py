"""BM25 as in LaMP (methods.md §3a)."""

from collections.abc import Callable, Sequence
from functools import cache

from methods.retrieval.by_user import Rankings, UserRetriever
from methods.retrieval.okapi import OkapiHistory, OkapiIndex
from methods.retrieval.retriever import Scores
from tasks.common.words import LAMP, WordRule, split_words
from tasks.example import Example

Split = Callable[[str], Sequence[str]]


class BM25Retriever(UserRetriever):
    """rank_bm25's BM25Okapi with its defaults.

    Equal scores are ordered by recency; `BM25Okapi.get_top_n` orders them arbitrarily. Every
    behaviour of a history without any words scores 0.

    Args:
        words: "lamp" splits at white space and keeps the case; "unicode" reads every script.
    """

    def __init__(self, words: WordRule = LAMP) -> None:
        split: Split = str.split if words == LAMP else split_words
        super().__init__(_open_rankings(split))
        self.split = split

    def score_user(self, examples: Sequence[Example]) -> list[Scores]:
        texts = (behavior.text for example in examples for behavior in example.history)
        index = OkapiIndex(texts, self.split)
        opened: dict[tuple[str, ...], OkapiHistory] = {}
        found = []
        for example in examples:
            history = tuple(behavior.text for behavior in example.history)
            if history not in opened:
                opened[history] = index.open_history(history)
            found.append(opened[history].score(self.split(example.query)))
        return found


@cache
def _open_rankings(split: Split) -> Rankings:  # noqa: ARG001
    """The rankings of this process under one way to split texts."""
    return Rankings()
