"""Resampler: learned queries read a user's history by cross-attention (arXiv 2408.00960)."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import nn

from methods.core.method import Cost
from methods.prefix.attention import softmax_over
from methods.prefix.config import PrefixConfig
from methods.prefix.histories import Batch
from methods.prefix.method import BYTES_PER_VALUE, PrefixMethod
from methods.prefix.plug import Plug
from methods.prefix.user_state import Stored
from methods.prefix.whitening import Whitening
from tasks.common.errors import ConfigError

INITIAL_STD = 0.02
"""Of the learned queries."""


class ResamplerConfig(PrefixConfig):
    """Options of the resampler.

    Attributes:
        n_tokens: learned queries, each of which becomes a soft token. By default one, as
            embedding-to-prefix and PPlug have for a user, so that they differ in the pooling alone.
        heads: of the attention; they divide the encoder's dimension.
        user: read the history; False: the learned queries alone, the control without any user.
        whiten: read whitened history vectors, see `Whitening`.
    """

    n_tokens: PositiveInt = 1
    heads: PositiveInt = 4
    user: bool = True
    whiten: bool = False


class CrossAttention(nn.Module):
    """Multi-head attention of K queries over the items of a history, without biases."""

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dimension, dimension, bias=False)
        self.key = nn.Linear(dimension, dimension, bias=False)
        self.value = nn.Linear(dimension, dimension, bias=False)
        self.out = nn.Linear(dimension, dimension, bias=False)

    def forward(
        self, queries: torch.Tensor, items: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """[K, D], [B, N, D] and [B, N] → [B, K, D]; zero for an empty history."""
        q, k, v = (
            layer(vectors).unflatten(-1, (self.heads, -1))
            for layer, vectors in ((self.query, queries), (self.key, items), (self.value, items))
        )
        logits = torch.einsum("khd,bnhd->bhkn", q, k) / q.shape[-1] ** 0.5
        shares = softmax_over(logits, mask[:, None, None])
        found: torch.Tensor = self.out(torch.einsum("bhkn,bnhd->bkhd", shares, v).flatten(2))
        return found


class ResamplerPlug(Plug):
    """One Perceiver layer: z = q + Attention(LN(q), LN(h)), z += MLP(LN(z)); P = s·Wz / ‖Wz‖.

    Each token has the mean norm s of the LLM's token embeddings, and only a direction is learned.
    Without a history, z = q + MLP(LN(q)): tokens that are the same for all users.
    """

    scale: torch.Tensor

    def __init__(
        self, config: ResamplerConfig, dimension: int, hidden_size: int, scale: float
    ) -> None:
        super().__init__()
        self.queries = nn.Parameter(INITIAL_STD * torch.randn(config.n_tokens, dimension))
        self.whitening = Whitening(dimension) if config.user and config.whiten else None
        self.of_queries = nn.LayerNorm(dimension) if config.user else None
        self.of_items = nn.LayerNorm(dimension) if config.user else None
        self.attention = CrossAttention(dimension, config.heads) if config.user else None
        self.mlp = nn.Sequential(
            nn.LayerNorm(dimension),
            nn.Linear(dimension, dimension),
            nn.GELU(),
            nn.Linear(dimension, dimension),
        )
        self.last = nn.Linear(dimension, hidden_size)
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, batch: Batch) -> torch.Tensor:
        """[B, K, H]."""
        return self.user_tokens(batch) if batch.tokens is None else batch.tokens

    def user_tokens(self, batch: Batch) -> torch.Tensor:
        """[B, K, H]."""
        z = self.queries.expand(len(batch.examples), -1, -1)
        if self.attention is not None:
            z = z + self.read(batch)
        z = z + self.mlp(z)
        tokens: torch.Tensor = F.normalize(self.last(z), dim=-1) * self.scale
        return tokens

    def read(self, batch: Batch) -> torch.Tensor:
        """What the queries find in the histories: [B, K, D]."""
        assert self.attention is not None  # noqa: S101  see user_tokens
        assert self.of_items is not None  # noqa: S101
        assert self.of_queries is not None  # noqa: S101
        vectors = batch.vectors if self.whitening is None else self.whitening(batch.vectors)
        found: torch.Tensor = self.attention(
            self.of_queries(self.queries), self.of_items(vectors), batch.mask
        )
        return found


class Resampler(PrefixMethod[ResamplerConfig]):
    """X = [P; Emb(x)]: K soft tokens of the user, whatever the query."""

    name = "resampler"

    @classmethod
    def is_personal(cls, config: ResamplerConfig) -> bool:
        text, options = config.text_side()
        return config.user or text.is_personal(options)

    @property
    def needs_histories(self) -> bool:
        return self.config.user

    @property
    def stored(self) -> Stored | None:
        return Stored.TOKENS if self.config.user else None

    def build(self) -> ResamplerPlug:
        llm, dimension = self.runtime.training_llm, self.runtime.encoder.dimension
        if dimension % self.config.heads:
            raise ConfigError(
                f"heads = {self.config.heads} does not divide the encoder's {dimension} dimensions",
                hint="Choose a number of heads that does",
            )
        return ResamplerPlug(self.config, dimension, llm.hidden_size, llm.embedding_norm())

    def cost(self) -> Cost:
        """A user is stored as soft tokens."""
        tokens = self.config.n_tokens if self.config.user else 0
        size = BYTES_PER_VALUE * tokens * self.runtime.training_llm.hidden_size
        return replace(super().cost(), bytes_per_user=size)
