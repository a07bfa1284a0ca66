"""Random behaviours of the user in the prompt."""

from methods.prompt.method import RetrievalMethod
from methods.retrieval import Retriever
from methods.retrieval.random_order import RandomRetriever


class RandomItems(RetrievalMethod):
    """`k` of the user's behaviours, drawn without replacement: the baseline of retrieval."""

    name = "random"

    def open_retriever(self) -> Retriever:
        return RandomRetriever(self.runtime.seeds)
