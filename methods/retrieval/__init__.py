"""Choose the behaviours of a history that go into the prompt."""

from methods.retrieval.retriever import Retriever, ScoringRetriever, best_first

__all__ = ["Retriever", "ScoringRetriever", "best_first"]
