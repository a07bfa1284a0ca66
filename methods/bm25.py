"""BM25-retrieved behaviours in the prompt."""

from methods.prompt.method import RetrievalMethod
from methods.retrieval import Retriever


class BM25(RetrievalMethod):
    """The `k` best behaviours by BM25 (methods.md §3a)."""

    name = "bm25"
    seeded = False

    def open_retriever(self) -> Retriever:
        from methods.retrieval.bm25 import BM25Retriever

        return BM25Retriever(self.task.words)
