"""The newest behaviours."""

from methods.retrieval.retriever import Retriever
from tasks.example import Example, newest_first


class RecencyRetriever(Retriever):
    """Newest first, for any query (methods.md §3a)."""

    def rank(self, example: Example) -> list[int]:
        return newest_first(example.history)
