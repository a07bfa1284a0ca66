"""A retriever's tower: the sentence encoder trained for queries and behaviours alike."""

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from methods.cache.tensors import write_tensors
from methods.models.checkpoint import put_weights, trained_weights
from methods.models.encoder import Encoder, Side
from methods.models.trainable_encoder import TrainableEncoder
from tasks.common.errors import ModelError
from tasks.common.files import content_key, write_json

WEIGHTS, ABOUT = "retriever.safetensors", "retriever.json"


class TunedEncoder(torch.nn.Module):
    """One tower, started from a frozen encoder's weights, for both sides.

    Args:
        base: gives weights, pooling, normalization and each side's prefix; stays as it is.
    """

    def __init__(self, base: Encoder) -> None:
        super().__init__()
        self.base = base
        self.tower = TrainableEncoder(copy.deepcopy(base.model), prefix="")

    def forward(self, texts: Sequence[str], side: Side) -> torch.Tensor:
        """Vectors of `texts`, float32 [N, D], pooled and normalized as by the base."""
        vectors: torch.Tensor = self.tower([self.base.text(text, side) for text in texts])
        return vectors

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The trained weights by name, on the CPU."""
        return {name: value.cpu() for name, value in trained_weights(self.tower).items()}

    def frozen(self) -> Encoder:
        """A copy of today's weights behind the frozen encoder's face, with an identity of its own.

        So vectors by the tuned weights are stored, and each text encoded once, as by any encoder.
        """
        digest = hashlib.sha256(to_bytes(self.weights)).hexdigest()
        identity = content_key([self.base.identity, digest], length=32)
        return Encoder(copy.deepcopy(self.tower.model), self.base.config, identity)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the weights, and `about` and the base they belong to. Raises StorageError."""
        write_tensors(folder / WEIGHTS, {n: w.contiguous() for n, w in self.weights.items()})
        write_json(folder / ABOUT, self._belongs(about))

    def load(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Read what `save` wrote.

        Args:
            about: label → what the weights fit: a value, or a model's {"name", "identity"}, of
                which the identity decides.

        Raises:
            ModelError: no tuned retriever, a damaged one, one with another `about`, or one tuned
                from another encoder; what differs is named.
        """
        wanted = self._belongs(about)
        try:
            stored = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            parts = {label: (stored.get(label), part) for label, part in wanted.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise ModelError(
                f"holds no readable retriever ({error})",
                file=folder,
                hint="Give a folder that a tuned retriever was saved to",
            ) from error
        for label, (found, part) in parts.items():
            if _decisive(found) != _decisive(part):
                raise ModelError(
                    f"the retriever was tuned for the {label} {_shown(found)}, not {_shown(part)}",
                    file=folder,
                    hint=f"Open it with that {label}, or tune a retriever for this one",
                )
        try:
            put_weights(self.tower, load_file(folder / WEIGHTS))
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(
                f"the retriever's weights don't fit or are damaged ({error})",
                file=folder / WEIGHTS,
                hint="Tune it again",
            ) from error

    def _belongs(self, about: Mapping[str, Any]) -> dict[str, Any]:
        encoder = {"name": self.base.config.model, "identity": self.base.identity}
        return {**about, "encoder": encoder}


def _decisive(part: Any) -> Any:
    return part.get("identity") if isinstance(part, dict) else part


def _shown(part: Any) -> str:
    return f"{part.get('name')} ({part.get('identity')})" if isinstance(part, dict) else str(part)
