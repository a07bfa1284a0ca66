"""TAP-PER's query-attended prefix P_q, without its user embeddings and LoRAs (arXiv 2606.04547)."""

from dataclasses import replace
from functools import cached_property

import torch
from pydantic import PositiveInt
from torch import nn

from methods.core.method import Cost
from methods.models.embedding_memory import EmbeddingMemory
from methods.models.token_means import TokenMeans
from methods.prefix.attention import Recency, RecencyTerms, softmax_over
from methods.prefix.config import PrefixConfig
from methods.prefix.histories import Batch
from methods.prefix.method import BYTES_PER_VALUE, PrefixMethod
from methods.prefix.plug import Plug

INITIAL_STD = 0.02
"""Of the λ."""


class TapPerConfig(PrefixConfig):
    """Options of TAP-PER's P_q; the defaults are the paper's.

    Attributes:
        n_tokens: L, soft tokens.
        recency: the learned penalties in the attention, see `Recency`; () is the ablation λ = 0.
        text_tokens: that are read of the query and of each behaviour.
        user: read the history; False: the bias of W alone, the control without any user.
    """

    n_tokens: PositiveInt = 8
    recency: RecencyTerms = ("order", "time")
    text_tokens: PositiveInt = 128
    user: bool = True


class TapPerPlug(Plug):
    """P_q = W Σ_j softmax_j(s_j − λ_o·log(1 + newer) − λ_t·log(1 + days)) z_j.

    s_j = MLP[z_q; z_j; z_q − z_j; z_q ⊙ z_j]; z are means of the LLM's input embeddings. Without a
    history, P_q is the bias of W.
    """

    def __init__(self, config: TapPerConfig, hidden_size: int) -> None:
        super().__init__()
        self.config = config
        self.scorer = nn.Sequential(
            nn.Linear(4 * hidden_size, hidden_size), nn.GELU(), nn.Linear(hidden_size, 1)
        )
        self.recency = Recency(config.recency, INITIAL_STD) if config.recency else None
        self.last = nn.Linear(hidden_size, config.n_tokens * hidden_size)
        if not config.user:
            self.requires_grad_(requires_grad=False)
            self.last.bias.requires_grad_()

    def forward(self, batch: Batch) -> torch.Tensor:
        """[B, L, H]."""
        pooled = self.last.weight.new_zeros(len(batch.examples), self.last.in_features)
        if self.config.user:
            pooled = torch.einsum("bn,bnh->bh", self.weights(batch), batch.vectors)
        tokens: torch.Tensor = self.last(pooled)
        return tokens.unflatten(-1, (self.config.n_tokens, -1))

    def weights(self, batch: Batch) -> torch.Tensor:
        """[B, N]; each row sums to 1, or to 0 for an empty history."""
        assert batch.queries is not None  # noqa: S101  see TapPer.needs_queries
        query = batch.queries.unsqueeze(1).expand_as(batch.vectors)
        pairs = (query, batch.vectors, query - batch.vectors, query * batch.vectors)
        logits = self.scorer(torch.cat(pairs, dim=-1)).squeeze(-1)
        if self.recency is not None:
            logits = logits - self.recency(batch)
        return softmax_over(logits, batch.mask)


class TapPer(PrefixMethod[TapPerConfig]):
    """X = [P_q; Emb(x)]: L soft tokens of the user for the query, no text of the history."""

    name = "tap-per"
    uses_encoder = False

    @classmethod
    def is_personal(cls, config: TapPerConfig) -> bool:
        text, options = config.text_side()
        return config.user or text.is_personal(options)

    @cached_property
    def embeddings(self) -> EmbeddingMemory:
        return EmbeddingMemory(TokenMeans(self.runtime.training_llm, self.config.text_tokens))

    @property
    def needs_histories(self) -> bool:
        return self.config.user

    @property
    def needs_queries(self) -> bool:
        return self.config.user

    @property
    def needs_ages(self) -> bool:
        return self.config.user and "order" in self.config.recency

    @property
    def needs_elapsed(self) -> bool:
        return self.config.user and "time" in self.config.recency

    def build(self) -> TapPerPlug:
        return TapPerPlug(self.config, self.runtime.training_llm.hidden_size)

    def cost(self) -> Cost:
        """A user is stored as the vectors and times of the history."""
        times = self.needs_ages + self.needs_elapsed
        own = super().cost()
        more = BYTES_PER_VALUE * self.mean_history * times
        return replace(own, bytes_per_user=own.bytes_per_user + more)
