"""The newest behaviours in the prompt."""

from methods.prompt.method import RetrievalMethod
from methods.retrieval import Retriever
from methods.retrieval.recency import RecencyRetriever


class Recency(RetrievalMethod):
    """The `k` newest behaviours, for any query (methods.md §3a)."""

    name = "recency"
    seeded = False

    def open_retriever(self) -> Retriever:
        return RecencyRetriever()
