"""Dense retrieval by a frozen sentence encoder."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from methods.retrieval.retriever import Scores, ScoringRetriever
from tasks.example import Example

if TYPE_CHECKING:
    from methods.models.embedding_store import EmbeddingStore


class DenseRetriever(ScoringRetriever):
    """Dot product of the query's and each behaviour's vector.

    As in Contriever with a mean-pooled, unnormalised encoder; cosine similarity with a normalised
    one (methods.md §3a). The encoder's config decides.
    """

    def __init__(self, embeddings: "EmbeddingStore") -> None:
        self.embeddings = embeddings

    def prepare(self, examples: Sequence[Example]) -> None:
        texts = (behavior.text for example in examples for behavior in example.history)
        self.embeddings.add(texts, side="document")
        self.embeddings.add((example.query for example in examples), side="query")

    def scores(self, example: Example) -> Scores:
        texts = [behavior.text for behavior in example.history]
        documents = self.embeddings.get(texts, side="document").astype("float64")
        query = self.embeddings.get([example.query], side="query")[0].astype("float64")
        # Not `documents @ query`: BLAS may round equal rows differently, but equal texts must tie.
        scores: Scores = (documents * query).sum(axis=1)
        return scores
