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
        """Σ_i w_i Proj(v_i): [B, N, D] and [B, N] → [B, n·H].

        The sum is taken before the last layer, which is linear, so [B, N, n·H] is never held. The
        bias then counts Σ_i w_i times: once, or not at all for an empty history.
        """
        hidden = (weights.unsqueeze(-1) * self.hidden(vectors)).sum(1)
        return F.linear(hidden, self.last.weight) + weights.sum(1, keepdim=True) * self.last.bias
