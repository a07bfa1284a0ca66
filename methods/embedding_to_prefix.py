"""E2P: a user's mean history embedding as one soft token (arXiv 2505.17051)."""

import torch
from torch import nn

from methods.pplug import Projector
from methods.prefix.histories import Batch
from methods.prefix.method import PrefixMethod


class EmbeddingToPrefix(PrefixMethod):
    """X = [MLP(mean_i h_i); Emb(x)]: PPlug without query and instruction."""

    name = "embedding-to-prefix"

    def build(self) -> nn.Module:
        return Projector(self.runtime.encoder.dimension, self.runtime.llm.hidden_size)

    def prefix(self, batch: Batch) -> torch.Tensor:
        return self.module(batch.mean()).unsqueeze(1) * self.runtime.llm.embedding_norm()
