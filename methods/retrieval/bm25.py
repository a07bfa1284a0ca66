"""BM25 as in LaMP (methods.md §3a)."""

import numpy as np
from rank_bm25 import BM25Okapi

from methods.retrieval.retriever import Scores, ScoringRetriever
from tasks.example import Example


class BM25Retriever(ScoringRetriever):
    """rank_bm25's BM25Okapi with its defaults, on words split at white space, case kept.

    Equal scores are ordered by recency; `BM25Okapi.get_top_n` orders them arbitrarily. Every
    behaviour of a history without any words scores 0.
    """

    def scores(self, example: Example) -> Scores:
        corpus = [behavior.text.split() for behavior in example.history]
        if not any(corpus):
            return np.zeros(len(corpus))
        scores: Scores = BM25Okapi(corpus).get_scores(example.query.split())
        return scores
