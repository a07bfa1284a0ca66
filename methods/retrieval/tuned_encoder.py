"""A retriever's tower: one sentence encoder trained for queries and behaviours."""

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

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the weights, `about` and the base. Raises StorageError."""
        write_tensors(folder / WEIGHTS, {n: w.contiguous() for n, w in self.weights.items()})
        write_json(folder / ABOUT, self._describe(about))

    def load(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Read what `save` wrote.

        Args:
            about: label → what the weights belong to: a value, or a model's {"name", "identity"},
                where only the identity is compared.

        Raises:
            ModelError: the folder has no tuned retriever, a damaged one, or one with another
                `about` or base; the message names the difference.
        """
        wanted = self._describe(about)
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
            if _identity(found) != _identity(part):
                raise ModelError(
                    f"the retriever was tuned for the {label} {_format(found)}, "
                    f"not {_format(part)}",
                    file=folder,
                    hint=f"Load it with that {label}, or tune a retriever for this one",
                )
        try:
            put_weights(self.tower, load_file(folder / WEIGHTS))
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(
                f"the retriever's weights don't fit or are damaged ({error})",
                file=folder / WEIGHTS,
                hint="Tune it again",
            ) from error

    def _describe(self, about: Mapping[str, Any]) -> dict[str, Any]:
        encoder = {"name": self.base.config.model, "identity": self.base.identity}
        return {**about, "encoder": encoder}


def _identity(part: Any) -> Any:
    return part.get("identity") if isinstance(part, dict) else part


def _format(part: Any) -> str:
    return f"{part.get('name')} ({part.get('identity')})" if isinstance(part, dict) else str(part)
