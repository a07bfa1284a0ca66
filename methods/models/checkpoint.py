"""A training run's state on disk, from which it is resumed exactly."""

import json
import pickle
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from methods.cache.checksums import check_checksums, write_checksums
from methods.cache.folders import load_kept
from tasks.common.errors import ModelError, StorageError
from tasks.common.files import write_json
from tasks.common.parts import sync

Weights = dict[str, torch.Tensor]


@dataclass
class State:
    """How far a training run has come. Steps seed their random streams by number.

    Attributes:
        step, examples: optimizer steps taken, training examples seen.
        nll, tokens: summed since the last point of the curve.
        curve: see `FitReport`.
        best_loss, since_best: lowest dev loss, and evaluations since it.
        best: the trained weights at `best_loss`; kept only for early stopping.
    """

    step: int = 0
    examples: int = 0
    nll: float = 0.0
    tokens: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    best_loss: float | None = None
    since_best: int = 0
    best: Weights | None = None


def trained_weights(module: nn.Module) -> Weights:
    """The parameters that require gradients, by name; tied ones once, under their first name."""
    return {name: w.detach() for name, w in module.named_parameters() if w.requires_grad}


def put_weights(module: nn.Module, weights: Weights) -> None:
    """Overwrite the trained parameters. Raises ValueError if names or shapes differ."""
    own = trained_weights(module)
    if {name: w.shape for name, w in own.items()} != {name: w.shape for name, w in weights.items()}:
        raise ValueError("its weights have other names or shapes than the trained ones")
    for name, weight in own.items():
        weight.copy_(weights[name])


class Checkpoint:
    """The newest state of one training run, as safetensors, JSON and a plain torch state.

    Args:
        folder: used by this run only.
        key: content key of everything the outcome depends on.
        minutes: time between saves.
    """

    def __init__(self, folder: Path, key: str, minutes: float) -> None:
        self.folder, self.key, self.minutes = folder, key, minutes
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Whether `minutes` have passed since the last save."""
        return time.monotonic() - self._saved >= self.minutes * 60

    def save(self, module: nn.Module, stateful: Mapping[str, Any], state: State) -> None:
        """Replace the last state by this one, whole or not at all.

        Args:
            stateful: name → optimizer or scheduler.

        Raises:
            StorageError: the disk is full or the folder can't be written.
        """
        part, final = self.folder / ".part", self.folder / f"step-{state.step:09d}"
        record = asdict(State(**{**vars(state), "best": None})) | {"key": self.key}
        del record["best"]
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            save_file(trained_weights(module), part / "trained.safetensors")
            if state.best is not None:
                save_file(state.best, part / "best.safetensors")
            torch.save(
                {name: one.state_dict() for name, one in stateful.items()}, part / "optimizer.pt"
            )
            write_json(part / "state.json", record)
            write_checksums(part)
            for path in part.iterdir():
                sync(path)
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
            sync(self.folder)
        except (OSError, SafetensorError, RuntimeError) as error:  # torch.save's is RuntimeError
            shutil.rmtree(part, ignore_errors=True)
            raise StorageError(
                f"checkpoint can't be written ({error})",
                file=self.folder,
                hint="Free space or choose a writable folder, then run the same command again; "
                "training resumes from the previous checkpoint",
            ) from error
        for old in self._steps():
            if old != final:
                shutil.rmtree(old, ignore_errors=True)
        self._saved = time.monotonic()

    def restore(self, module: nn.Module, stateful: Mapping[str, Any]) -> State | None:
        """Load the saved state into module, optimizer and scheduler; None if there is none.

        A damaged checkpoint is set aside with a warning before any of it is loaded.

        Raises:
            ModelError: the checkpoint belongs to another training, or can't be loaded.
        """
        saved = self._steps()
        if not saved:
            return None
        folder = saved[-1]
        if load_kept(folder, self._check, "training starts from the start") is None:
            return None
        try:
            record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
            if record.pop("key") != self.key:
                raise ValueError("it belongs to another LLM, data set, seed or training config")  # noqa: TRY301
            state = State(**record)
            put_weights(module, load_file(folder / "trained.safetensors"))
            if (folder / "best.safetensors").is_file():
                state.best = load_file(folder / "best.safetensors")
            others = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
            for name, one in stateful.items():
                one.load_state_dict(others[name])
        except (
            OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError,
            SafetensorError, pickle.UnpicklingError,
        ) as error:  # fmt: skip
            raise ModelError(
                f"the checkpoint can't be resumed ({error})",
                file=folder,
                hint="Delete the folder to train from the start",
            ) from error
        return state

    def _check(self, folder: Path) -> Path:
        """The folder, whose checksums have been compared. Raises StorageError if it has none."""
        check_checksums(folder)
        return folder

    def _steps(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("step-*") if path.suffix == "")
