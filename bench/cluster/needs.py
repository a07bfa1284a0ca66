"""What a cell takes of a node, and how many workers a cluster has room for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.grid import Cell
from bench.settings import Settings
from bench.settings.needs import NeedsSettings
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
    by_models: dict[tuple[str | None, str | None], Needs] = {}
    for cell in cells:
        pair = cell.llm, cell.encoder
        if pair not in by_models:
            by_models[pair] = needs = _find(settings, *pair, threads, has_gpus)
            if not any(needs.count_room(node) for node in nodes):
                raise ConfigError(
                    f"no node of the cluster has {needs}, which {cell.title} needs",
                    hint="Set cpus, gpus or memory_gib in [needs.NAME] of its LLM or encoder, or "
                    "add such a node",
                )
    return [by_models[cell.llm, cell.encoder] for cell in cells]


def _find(
    settings: Settings, llm: str | None, encoder: str | None, threads: int, has_gpus: bool
) -> Needs:
    names = [name for name in (llm, encoder) if name is not None]
    tables = [settings.needs.get(name, NeedsSettings()) for name in names]
    devices = [] if encoder is None else [settings.encoder(encoder).device]
    if llm is not None and settings.llm(llm).endpoint is None:  # a served one computes elsewhere
        devices.append(settings.llm(llm).device)
    on_gpu = any(name.startswith("cuda") or (name == "auto" and has_gpus) for name in devices)
    gpus = max((t.gpus for t in tables if t.gpus is not None), default=float(on_gpu))
    cpus = max(
        (t.cpus for t in tables if t.cpus is not None),
        default=threads if names and not gpus else 1,
    )
    memory = max((t.memory_gib for t in tables if t.memory_gib is not None), default=0)
    return Needs(cpus, gpus, round(memory * GIB))
