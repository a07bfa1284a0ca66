"""Densely retrieved behaviours in the prompt."""

from methods.prompt.method import RetrievalMethod
from methods.retrieval import Retriever


class Dense(RetrievalMethod):
    """The `k` behaviours nearest to the query by the suite's sentence encoder.

    PPlug's paper uses Contriever (methods.md §2a, §3a).
    """

    name = "dense"
    seeded = False
    uses_encoder = True

    def open_retriever(self) -> Retriever:
        from methods.retrieval.dense import DenseRetriever

        return DenseRetriever(self.runtime.embeddings)
