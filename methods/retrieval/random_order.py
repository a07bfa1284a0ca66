"""Random behaviours of the user, the baseline of retrieval."""

import random

from methods.retrieval.retriever import Retriever
from tasks.common.seeds import Seeds
from tasks.example import Example


class RandomRetriever(Retriever):
    """A random order without replacement, seeded only by the example's id.

    LaMP's released code draws with replacement (methods.md §3a).
    """

    def __init__(self, seeds: Seeds) -> None:
        self.seeds = seeds

    def rank(self, example: Example) -> list[int]:
        order = list(range(len(example.history)))
        random.Random(self.seeds.seed("random-retrieval", example.id)).shuffle(order)
        return order
