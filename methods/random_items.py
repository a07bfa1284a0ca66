"""Random behaviours of the user in the prompt."""

from methods.prompt.method import RetrievalMethod
from methods.retrieval import Retriever
from methods.retrieval.random_order import RandomRetriever


class RandomItems(RetrievalMethod):
    """The user's own behaviours at random, without replacement: what retrieval must beat."""

    name = "random"

    def open_retriever(self) -> Retriever:
        return RandomRetriever(self.runtime.seeds)
