"""Users' adapters, each trained once and kept on disk."""

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
from tasks.common.errors import ModelError, StorageError
from tasks.common.files import content_key, write_json
from tasks.common.progress import Progress

if TYPE_CHECKING:
    from methods.lora.layers import AdapterStack
    from methods.models.language_model import LanguageModel

HEALED = "adapter was damaged on disk: trained again"


@dataclass(frozen=True)
class Kept:
    """One user's adapter, the seconds that its training took, and what befell it on disk."""

    weights: Weights
    seconds: float
    note: str | None = None


class AdapterStore:
    """Adapters over one frozen LLM, by content keys, as peft folders in `cache`.

    A folder is whole or absent, so a process killed at any point leaves no half adapter, and the
    group in training goes on from its checkpoint in `scratch`. What turns out damaged is put aside
    as `<key>.damaged`, named in a warning, and trained again.

    Args:
        shared: the adapter that all of them stand on; None: none.
        others: as in `train_together`.
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
        """The adapters of N users; those not kept yet are trained together.

        Args:
            lessons: what the user of a key learns from; asked only for those that are trained.

        Raises:
            ModelError: training diverges or runs out of memory.
            StorageError: the cache or a checkpoint can't be written.
        """
        # Another process that wants the same group waits, and then finds it trained.
        with hold_lock(self.cache / f".{content_key(sorted(keys))}.lock"):
            kept, damaged = self._found(keys)
            missing = [key for key in keys if key not in kept]
            if missing:
                for key, trained in zip(missing, self._trained(missing, lessons), strict=True):
                    kept[key] = self._keep(key, trained, HEALED if key in damaged else None)
                shutil.rmtree(self.checkpoints, ignore_errors=True)
        self._remember({key: adapter.seconds for key, adapter in kept.items()})
        return [kept[key] for key in keys]

    def _found(self, keys: Sequence[str]) -> tuple[dict[str, Kept], set[str]]:
        """Key → adapter on disk, and the keys of damaged ones, which were set aside."""
        there = [key for key in keys if (self.cache / key).is_dir()]
        read = {key: load_kept(self.cache / key, self._read, "trained again") for key in there}
        kept = {key: adapter for key, adapter in read.items() if adapter is not None}
        return kept, read.keys() - kept.keys()

    def seconds(self) -> list[float]:
        """Training time of each adapter read in this cell, whenever it was trained.

        Kept in `scratch`, for a cell that is killed while it predicts doesn't read all of them
        again. Raises StorageError where that file is broken.
        """
        return list(self._known().values())

    def _known(self) -> dict[str, float]:
        if not self._record.is_file():
            return {}
        try:
            return dict(json.loads(self._record.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise StorageError(
                f"the adapters' training times can't be read ({error})",
                file=self._record,
                hint="Delete it: only the times of this cell's earlier users are lost",
            ) from error

    def _remember(self, seconds: dict[str, float]) -> None:
        known = self._known()
        if seconds.keys() - known.keys():
            write_json(self._record, known | seconds)

    def _trained(
        self, missing: Sequence[str], lessons: Callable[[str], Lessons]
    ) -> Sequence[Trained]:
        # Before the shared adapter is attached: a text side may ask the plain LLM, and keep that.
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
