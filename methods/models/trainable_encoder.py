"""A sentence encoder whose weights are trained."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class TrainableEncoder(torch.nn.Module):
    """Texts → vectors, differentiable in every weight.

    Args:
        model: owned by this module; its weights become float32 and require gradients.
        prefix: inserted before each text, verbatim.
    """

    def __init__(self, model: "SentenceTransformer", prefix: str) -> None:
        super().__init__()
        self.model = model.float().requires_grad_(True)
        self.prefix = prefix

    def forward(self, texts: Sequence[str]) -> torch.Tensor:
        """Vectors of `texts`, float32 [B, D], pooled and normalized as in the frozen encoder."""
        features = self.model.preprocess([self.prefix + text for text in texts], prompt="")
        device = next(self.model.parameters()).device
        features = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        vectors: torch.Tensor = self.model(features)["sentence_embedding"]
        return vectors
