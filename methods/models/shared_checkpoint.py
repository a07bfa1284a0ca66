"""The checkpoint of a training that several processes run together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from methods.models.checkpoint import Checkpoint, State, trained_weights
from methods.models.processes import Processes
from tasks.common.errors import StorageError


class SharedCheckpoint(Checkpoint):
    """Written by the main process, and read by all: after `restore`, all have the same weights.

    Args:
        folder, key, minutes: as of a `Checkpoint`; the folder is the same one for all processes.
    """

    def __init__(self, folder: Path, key: str, minutes: float, processes: Processes) -> None:
        super().__init__(folder, key, minutes)
        self.processes = processes

    def due(self) -> bool:
        return self.processes.is_main and super().due()

    def save(self, module: nn.Module, stateful: Mapping[str, Any], state: State) -> None:
        if self.processes.is_main:
            super().save(module, stateful, state)

    def restore(self, module: nn.Module, stateful: Mapping[str, Any]) -> State | None:
        """As `Checkpoint.restore`. Raises StorageError where a process doesn't see the folder."""
        processes = self.processes
        state = super().restore(module, stateful) if processes.is_main else None
        step = processes.share(0 if state is None else state.step)
        if step and not processes.is_main:  # after the main one, which sets aside a damaged state
            state = super().restore(module, stateful)
            if state is None or state.step != step:
                raise StorageError(
                    f"the main process resumes at step {step}, and another doesn't find that state",
                    file=self.folder,
                    hint="Set store.cache to a folder that all processes share",
                )
        processes.copy_from_main(list(trained_weights(module).values()))
        return state
