"""What a cell takes of a node, and how many workers a cluster has room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.grid import Cell
from bench.settings import Settings
from bench.settings.needs import NeedsSettings
from methods.models.config import EncoderConfig, LLMConfig
from tasks.common.errors import ConfigError

Resources = Mapping[str, float]
"""What a node has, in Ray's words: "CPU", "GPU" and "memory" (bytes)."""
GIB = 1 << 30


@dataclass(frozen=True)
class Needs:
    """What one worker takes of a node while it lives. `memory`: in bytes; 0: not counted."""

    cpus: int = 1
    gpus: float = 0
    memory: int = 0

    def count_room(self, node: Resources) -> int:
        """How many workers fit in a node that has nothing else to do."""
        takes = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory}
        # A hundredth of a worker more: 3 × 0.3333 GPUs are meant to be one.
        return min(int(node.get(name, 0) / need + 0.01) for name, need in takes.items() if need)

    def to_options(self) -> dict[str, Any]:
        """As options of a Ray actor."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, "memory": self.memory or None}

    def __str__(self) -> str:
        parts = [f"{self.cpus} CPU{'s' * (self.cpus > 1)}"]
        if self.gpus:
            parts.append(f"{self.gpus:g} GPU{'s' * (self.gpus > 1)}")
        if self.memory:
            parts.append(f"{self.memory / GIB:.3g} GiB")
        return ", ".join(parts)


def find_needs(
    cells: Sequence[Cell], settings: Settings, threads: int, nodes: Sequence[Resources]
) -> list[Needs]:
    """What each cell needs: by the [needs] of its models, else by what they use.

    Args:
        threads: that a process of the local engine would have.

    Raises ConfigError where no node has as much, so that the cell would wait forever.
    """
    has_gpus = any(node.get("GPU", 0) for node in nodes)
    needs = []
    for cell in cells:
        needs.append(_find(settings, cell, threads, has_gpus))
        if not any(needs[-1].count_room(node) for node in nodes):
            raise ConfigError(
                f"no node of the cluster has {needs[-1]}, which {cell.title} needs",
                hint="Set cpus, gpus or memory_gib in [needs.NAME] of its LLM or encoder, or "
                "add such a node",
            )
    return needs


def _find(settings: Settings, cell: Cell, threads: int, has_gpus: bool) -> Needs:
    models = _find_models(settings, cell)
    known = [*settings.llms.items(), *settings.encoders.items()]
    names = [name for name, config in known if config in models]
    tables = [settings.needs.get(name, NeedsSettings()) for name in names]
    on_gpu = any(_computes_on_gpu(config, has_gpus) for config in models)
    gpus = max((t.gpus for t in tables if t.gpus is not None), default=float(on_gpu))
    cpus = max(
        (t.cpus for t in tables if t.cpus is not None),
        default=threads if models and not gpus else 1,
    )
    memory = max((t.memory_gib for t in tables if t.memory_gib is not None), default=0)
    return Needs(cpus, gpus, round(memory * GIB))


def _find_models(settings: Settings, cell: Cell) -> list[LLMConfig | EncoderConfig]:
    """The cell's LLM and encoder, and the models that its method's options name."""
    models = [*cell.config.named_models()]
    if cell.llm is not None:
        models.append(settings.llm(cell.llm))
    if cell.encoder is not None:
        models.append(settings.encoder(cell.encoder))
    return models


def _computes_on_gpu(config: LLMConfig | EncoderConfig, has_gpus: bool) -> bool:
    if isinstance(config, LLMConfig) and config.endpoint is not None:  # it computes elsewhere
        return False
    return config.device.startswith("cuda") or (config.device == "auto" and has_gpus)
