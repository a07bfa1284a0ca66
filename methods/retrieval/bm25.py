"""BM25 as in LaMP (methods.md §3a)."""

import numpy as np
from rank_bm25 import BM25Okapi

from methods.retrieval.retriever import Scores, ScoringRetriever
from tasks.common.words import LAMP, WordRule, split_words
from tasks.example import Example


class BM25Retriever(ScoringRetriever):
    """rank_bm25's BM25Okapi with its defaults.

    Equal scores are ordered by recency; `BM25Okapi.get_top_n` orders them arbitrarily. Every
    behaviour of a history without any words scores 0.

    Args:
        words: "lamp" splits at white space and keeps the case; "unicode" reads every script.
    """

    def __init__(self, words: WordRule = LAMP) -> None:
        self.split = str.split if words == LAMP else split_words

    def scores(self, example: Example) -> Scores:
        corpus = [self.split(behavior.text) for behavior in example.history]
        if not any(corpus):
            return np.zeros(len(corpus))
        scores: Scores = BM25Okapi(corpus).get_scores(self.split(example.query))
        return scores
