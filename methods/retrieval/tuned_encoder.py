"""A retriever's tower: one sentence encoder trained for queries and behaviours."""

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes

from methods.cache.weights import Fits, load_module, save_module
from methods.models.checkpoint import trained_weights
from methods.models.encoder import Encoder, Side
from methods.models.trainable_encoder import TrainableEncoder
from tasks.common.files import content_key

KIND = "retriever"


class TunedEncoder(torch.nn.Module):
    """One tower for both sides, initialized from a frozen encoder.

    Args:
        base: gives the initial weights, pooling, normalization and prefixes; it isn't changed.
    """

    def __init__(self, base: Encoder) -> None:
        super().__init__()
        self.base = base
        self.tower = TrainableEncoder(copy.deepcopy(base.model), prefix="")

    def forward(self, texts: Sequence[str], side: Side) -> torch.Tensor:
        """Vectors of `texts`, float32 [N, D], pooled and normalized as in the base."""
        vectors: torch.Tensor = self.tower([self.base.text(text, side) for text in texts])
        return vectors

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """Name → trained weight, on the CPU."""
        return {name: value.cpu() for name, value in trained_weights(self.tower).items()}

    def freeze(self) -> Encoder:
        """A copy of the present weights as a frozen encoder with its own identity.

        Its vectors can be stored, and each text encoded once, as with any encoder.
        """
        digest = hashlib.sha256(to_bytes(self.weights)).hexdigest()
        identity = content_key([self.base.identity, digest], length=32)
        return Encoder(copy.deepcopy(self.tower.model), self.base.config, identity)

    def save(self, folder: Path, fits: Fits) -> None:
        """Write the weights, what they fit and their base. Raises StorageError."""
        save_module(folder, KIND, self.tower, self._with_base(fits))

    def load(self, folder: Path, fits: Fits) -> None:
        """Read what `save` wrote. Raises ModelError as `load_module`."""
        load_module(folder, KIND, self.tower, self._with_base(fits))

    def _with_base(self, fits: Fits) -> dict[str, Any]:
        base = {"name": self.base.config.model, "identity": self.base.identity}
        return {**fits, "encoder": base}
