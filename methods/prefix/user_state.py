"""A user's vectors without the texts: compute them once, export them, load them."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError, safe_open

from methods.cache.tensors import write_tensors
from methods.prefix.histories import Batch
from tasks.common.errors import DataError, ModelError
from tasks.example import Example


class Stored(StrEnum):
    """What is kept of a user.

    TOKENS: the user's soft tokens, if they don't depend on the query (PPlug's mean variant).
    HISTORY: the frozen history vectors, weighted later by the query (input-aware aggregation).
    """

    TOKENS = "soft tokens"
    HISTORY = "history matrix"


@dataclass(frozen=True)
class Origin:
    """What made a state; only the same plug and encoder can read it.

    Attributes:
        plug: `DeployedPlug.fingerprint`.
        method, task: names, for messages.
        encoder: identity of the history encoder.
        encoder_name: where it came from, for messages.
    """

    plug: str
    method: str
    task: str
    encoder: str
    encoder_name: str


@dataclass(frozen=True, eq=False)
class UserState:
    """One user's vectors, in float16.

    Attributes:
        stored: what `vectors` are.
        vectors: TOKENS: [n_tokens, H] in the LLM's space; HISTORY: [n, D] in the encoder's.
        ages, elapsed: [n], see `Batch`; None unless the plug reads them.
        origin: the plug and encoder that made it.
    """

    stored: Stored
    vectors: torch.Tensor
    ages: torch.Tensor | None
    origin: Origin
    elapsed: torch.Tensor | None = None

    @classmethod
    def of(
        cls,
        stored: Stored,
        vectors: torch.Tensor,
        ages: torch.Tensor | None,
        origin: Origin,
        elapsed: torch.Tensor | None = None,
    ) -> Self:
        """A state from vectors of any float type. Raises ModelError: too large for float16."""
        halves = vectors.detach().half().cpu()
        if not torch.isfinite(halves).all():
            raise ModelError(
                f"the user's vectors reach {vectors.abs().max().item():.3g}, too much for float16",
                file=origin.encoder_name,
                hint="Set `normalize = true` for the encoder and train the plug again",
            )
        ages, elapsed = (None if time is None else time.half().cpu() for time in (ages, elapsed))
        return cls(stored, halves, ages, origin, elapsed)

    @property
    def bytes(self) -> int:
        """Size of the vectors and times; a file adds a header of a few hundred bytes."""
        return sum(tensor.nbytes for tensor in self._tensors.values())

    @property
    def _tensors(self) -> dict[str, torch.Tensor]:
        tensors = {"vectors": self.vectors, "ages": self.ages, "elapsed": self.elapsed}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}

    def batch(self, example: Example, device: torch.device) -> Batch:
        """The plug's input for one query of this user: B = 1."""
        tensors = {n: t.float().unsqueeze(0).to(device) for n, t in self._tensors.items()}
        vectors = tensors.pop("vectors")
        if self.stored is Stored.TOKENS:
            nothing = vectors.new_zeros(1, 0, 1)
            return Batch([example], nothing, nothing[..., 0].bool(), tokens=vectors)
        mask = torch.ones_like(vectors[..., 0], dtype=torch.bool)
        return Batch([example], vectors, mask, **tensors)

    def save(self, path: Path | str) -> None:
        """Write one safetensors file, whole or not at all. Raises StorageError."""
        about = {"stored": self.stored.value, **asdict(self.origin)}
        write_tensors(Path(path), {n: t.contiguous() for n, t in self._tensors.items()}, about)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote. Raises DataError if the file is missing or damaged."""
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            vectors, ages, elapsed = tensors["vectors"], tensors.get("ages"), tensors.get("elapsed")
            _check(vectors, ages, elapsed)
            origin = Origin(**{field.name: about[field.name] for field in fields(Origin)})
            return cls(Stored(about["stored"]), vectors, ages, origin, elapsed)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise DataError(
                f"holds no readable user state ({error})",
                file=path,
                hint="Give a file that `UserState.save` wrote, or make it again by `user_state`",
            ) from error


def _check(vectors: torch.Tensor, *times: torch.Tensor | None) -> None:
    given = [time for time in times if time is not None]
    if any(tensor.dtype != torch.float16 for tensor in (vectors, *given)):
        raise ValueError("its vectors are not float16")
    if vectors.ndim != 2 or any(time.shape != vectors.shape[:1] for time in given):
        raise ValueError(f"its shapes are {[list(tensor.shape) for tensor in (vectors, *given)]}")
