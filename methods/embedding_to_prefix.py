"""E2P: a user's mean history embedding as one soft token (arXiv 2505.17051)."""

import torch

from methods.prefix.histories import Batch
from methods.prefix.method import PrefixMethod
from methods.prefix.plug import Plug
from methods.prefix.projector import Projector


class MeanPlug(Plug):
    """MLP(mean_i h_i), at the scale of the LLM's token embeddings: [B, 1, H]."""

    def __init__(self, dimension: int, hidden_size: int, scale: float) -> None:
        super().__init__()
        self.projector = Projector(dimension, hidden_size)
        self.scale = scale

    def forward(self, batch: Batch) -> torch.Tensor:
        token: torch.Tensor = self.projector(batch.mean())
        return token.unsqueeze(1) * self.scale


class EmbeddingToPrefix(PrefixMethod):
    """X = [MLP(mean_i h_i); Emb(x)]: PPlug without query and instruction."""

    name = "embedding-to-prefix"

    def build(self) -> MeanPlug:
        llm = self.runtime.training_llm
        return MeanPlug(self.runtime.encoder.dimension, llm.hidden_size, llm.embedding_norm())
