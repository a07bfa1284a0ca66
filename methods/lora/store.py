"""Users' adapters on disk, each trained once."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from methods.cache.folders import hold_lock, load_kept, make_once
from methods.lora.adapters import read_adapter, write_adapter
from methods.lora.training import Lessons, Trained, train_together
from methods.models.checkpoint import Weights
from methods.models.config import LoraConfig, TrainingConfig
from tasks.common.errors import ModelError
from tasks.common.files import content_key
from tasks.common.progress import Progress
from tasks.common.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from methods.lora.layers import AdapterStack
    from methods.models.language_model import LanguageModel

HEALED = "adapter was damaged on disk: trained again"


@dataclass(frozen=True)
class Kept:
    """One user's adapter.

    Attributes:
        seconds: of its training.
        note: for predictions, where it was damaged on disk and trained again; else None.
    """

    weights: Weights
    seconds: float
    note: str | None = None


class AdapterStore:
    """Adapters for one frozen LLM, by content keys, as peft folders in `cache`.

    A folder is complete or absent, so a killed process leaves no partial adapter; the training of
    its group resumes from a checkpoint in `scratch`. A damaged adapter is renamed to
    `<key>.damaged`, reported in a warning, and trained again.

    Args:
        shared: the adapter below all others; None: there is none.
        lora, training, max_input_tokens, max_response_tokens, progress: as in `train_together`.
    """

    def __init__(
        self,
        llm: "LanguageModel",
        lora: LoraConfig,
        training: TrainingConfig,
        *,
        shared: "AdapterStack | None",
        max_input_tokens: int,
        max_response_tokens: int,
        cache: Path,
        scratch: Path,
        progress: Progress,
    ) -> None:
        self.llm, self.lora, self.training, self.shared = llm, lora, training, shared
        self.max_input_tokens, self.max_response_tokens = max_input_tokens, max_response_tokens
        self.cache, self.progress = cache, progress
        self.checkpoints = scratch / "training"
        self._record = scratch / "seconds.json"

    def adapters(self, keys: Sequence[str], lessons: Callable[[str], Lessons]) -> list[Kept]:
        """The adapters of N users; those that aren't stored are trained together.

        Args:
            lessons: key → the user's training data; called only for adapters to be trained.

        Raises:
            ModelError: training diverges or runs out of memory.
            StorageError: the cache or a checkpoint can't be written.
        """
        # Another process that needs the same group waits, then reads the trained adapters.
        with hold_lock(self.cache / f".{content_key(sorted(keys))}.lock"):
            kept, damaged = self._read_all(keys)
            missing = [key for key in keys if key not in kept]
            if missing:
                for key, trained in zip(missing, self._train(missing, lessons), strict=True):
                    kept[key] = self._keep(key, trained, HEALED if key in damaged else None)
                shutil.rmtree(self.checkpoints, ignore_errors=True)
        self._record_seconds({key: adapter.seconds for key, adapter in kept.items()})
        return [kept[key] for key in keys]

    def _read_all(self, keys: Sequence[str]) -> tuple[dict[str, Kept], set[str]]:
        """Key → adapter on disk, and the keys of damaged ones, which are set aside."""
        there = [key for key in keys if (self.cache / key).is_dir()]
        read = {key: load_kept(self.cache / key, self._read, "trained again") for key in there}
        kept = {key: adapter for key, adapter in read.items() if adapter is not None}
        return kept, read.keys() - kept.keys()

    def seconds(self) -> list[float]:
        """Training time of each adapter used in this cell, whenever it was trained.

        Recorded in `scratch`, because a cell that resumes after a kill doesn't read the adapters of
        earlier users again. Raises StorageError where the record is broken.
        """
        return list(self._read_seconds().values())

    def _read_seconds(self) -> dict[str, float]:
        if not self._record.is_file():
            return {}
        hint = "Delete it; only the times of this cell's earlier users are lost"
        found: dict[str, float] = read_sealed(self._record, hint)["seconds"]
        return found

    def _record_seconds(self, seconds: dict[str, float]) -> None:
        known = self._read_seconds()
        if seconds.keys() - known.keys():
            write_sealed(self._record, {"seconds": known | seconds})

    def _train(
        self, missing: Sequence[str], lessons: Callable[[str], Lessons]
    ) -> Sequence[Trained]:
        # Before the shared adapter is attached, because a text side may query the plain LLM and
        # cache its answers.
        learned = [lessons(key) for key in missing]
        with self.shared.attached() if self.shared is not None else nullcontext():
            return train_together(
                self.llm,
                learned,
                self.lora,
                self.training,
                max_input_tokens=self.max_input_tokens,
                max_response_tokens=self.max_response_tokens,
                checkpoints=self.checkpoints,
                progress=self.progress,
            )

    def _keep(self, key: str, trained: Trained, note: str | None) -> Kept:
        facts = {"seconds": str(trained.seconds), "curve": json.dumps(trained.curve)}
        make_once(
            self.cache / key,
            lambda part: write_adapter(part, trained.weights, self.lora, self.llm, facts),
        )
        return Kept(trained.weights, trained.seconds, note)

    def _read(self, folder: Path) -> Kept:
        """The adapter in `folder`. Raises ModelError if it is damaged."""
        weights, facts = read_adapter(folder, self.llm, self.lora)
        try:
            seconds = float(facts["seconds"])
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"doesn't record how long it was trained ({error})",
                file=folder,
                hint="Train it again",
            ) from error
        if not 0 <= seconds < math.inf:
            raise ModelError(
                f"was trained in {seconds} seconds", file=folder, hint="Train it again"
            )
        return Kept(weights, seconds)
