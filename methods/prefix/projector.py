"""From the encoder's space to the LLM's."""

import torch
import torch.nn.functional as F
from torch import nn


class Projector(nn.Module):
    """Proj: Linear(D, H), GELU, Linear(H, n·H): an encoder vector becomes n tokens of the LLM."""

    def __init__(self, dimension: int, hidden_size: int, tokens: int = 1) -> None:
        super().__init__()
        self.first = nn.Linear(dimension, hidden_size)
        self.last = nn.Linear(hidden_size, tokens * hidden_size)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """[..., D] → [..., n·H]."""
        projected: torch.Tensor = self.last(self.hidden(vectors))
        return projected

    def hidden(self, vectors: torch.Tensor) -> torch.Tensor:
        """The input of the last layer: [..., D] → [..., H]."""
        return F.gelu(self.first(vectors))

    def weighted_sum(self, vectors: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Σ_i w_i Proj(v_i): [B, N, D] and [B, V, N] → [B, n·H].

        Each of the V rows of weights makes an equal share of the n tokens, in order.

        The sum is taken before the last layer, which is linear, so [B, N, n·H] is never held. The
        bias then counts Σ_i w_i times: once, or not at all for an empty history.
        """
        hidden, views = self.hidden(vectors), weights.shape[1]
        layers = zip(self.last.weight.chunk(views), self.last.bias.chunk(views), strict=True)
        tokens = []
        for (weight, bias), share in zip(layers, weights.unbind(1), strict=True):
            summed = (share.unsqueeze(-1) * hidden).sum(1)
            tokens.append(F.linear(summed, weight) + share.sum(1, keepdim=True) * bias)
        return torch.cat(tokens, dim=1)
