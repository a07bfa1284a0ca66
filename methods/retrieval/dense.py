"""Dense retrieval by a frozen sentence encoder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from methods.retrieval.by_user import Rankings, UserRetriever
from methods.retrieval.retriever import Scores
from tasks.example import Example

if TYPE_CHECKING:
    from methods.models.embedding_store import EmbeddingStore, TextEncoder

_rankings: "WeakKeyDictionary[TextEncoder, dict[Path, Rankings]]" = WeakKeyDictionary()
"""The rankings of this process by encoder, as long as it is open, and by folder of vectors.

An empty folder is filled as if nothing had been ranked, so that a fit takes the same steps again.
"""


class DenseRetriever(UserRetriever):
    """Dot product of the query's and each behaviour's vector.

    As in Contriever with a mean-pooled, unnormalised encoder; cosine similarity with a normalised
    one (methods.md §3a). The encoder's config decides.
    """

    def __init__(self, embeddings: "EmbeddingStore") -> None:
        of_encoder = _rankings.setdefault(embeddings.encoder, {})
        super().__init__(of_encoder.setdefault(embeddings.folder.absolute(), Rankings()))
        self.embeddings = embeddings

    def prepare(self, examples: Sequence[Example]) -> None:
        new = [example for example in examples if self.rankings.get(example) is None]
        texts = (behavior.text for example in new for behavior in example.history)
        self.embeddings.add(texts, side="document")
        self.embeddings.add((example.query for example in new), side="query")
        super().prepare(new)

    def score_user(self, examples: Sequence[Example]) -> list[Scores]:
        texts = dict.fromkeys(behavior.text for example in examples for behavior in example.history)
        row_of = {text: row for row, text in enumerate(texts)}
        documents = self.embeddings.get(list(texts), side="document").astype("float64")
        queries = self.embeddings.get([example.query for example in examples], side="query")
        found = []
        for example, query in zip(examples, queries.astype("float64"), strict=True):
            # Not `documents @ query`: what BLAS rounds depends on the shapes, so that the user's
            # other queries would change a score, and equal vectors might not tie.
            scores = (documents * query).sum(axis=1)
            found.append(scores[[row_of[behavior.text] for behavior in example.history]])
        return found
