"""Densely retrieved behaviours in the prompt, re-ranked by the frozen LLM (methods.md §4)."""

from pydantic import PositiveInt

from methods.models.access import Access
from methods.prompt.method import RetrievalConfig, RetrievalMethod
from methods.retrieval import Retriever


class RerankConfig(RetrievalConfig):
    """Options of rerank.

    Attributes:
        depth: number of behaviours that the encoder retrieves for re-ranking.
    """

    depth: PositiveInt = 20


class Rerank(RetrievalMethod[RerankConfig]):
    """The encoder's top `depth`, re-ranked by how much each raises the query's likelihood.

    RePlug tunes a retriever by the likelihood of the gold, which is unknown at prediction. So the
    LLM scores the query given the behaviour, as in UPR (arXiv 2204.07496) and in-context RALM's
    zero-shot re-ranking (arXiv 2302.00083). Nothing is trained.
    """

    name = "rerank"
    seeded = False
    uses_encoder = True

    @classmethod
    def access(cls, config: RerankConfig) -> Access:  # noqa: ARG003
        """Likelihoods."""
        return Access.WEIGHTS

    def open_retriever(self) -> Retriever:
        from methods.retrieval.dense import DenseRetriever
        from methods.retrieval.query_likelihood import QueryLikelihoodReranker

        first = DenseRetriever(self.runtime.embeddings)
        return QueryLikelihoodReranker(first, self.config.depth, self.runtime)
