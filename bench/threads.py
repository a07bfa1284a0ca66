"""How many threads a process computes with, and how they wait for each other.

Threads that spin while they wait take a core from whoever else works on the machine: two of them
next to one busy neighbour took three times as long as two that sleep.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common.errors import ModelError

if TYPE_CHECKING:  # the command line imports this module for `bench --help` too
    from bench.settings import Settings, Suite
    from methods.models.config import LLMConfig

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
"""Environment variables under which OpenMP threads (GNU's, and LLVM's and Intel's) sleep."""
SMALL_BYTES = 64 << 20
"""Weights up to which one thread is as fast as several: operations end before threads start."""
CGROUP = Path("/sys/fs/cgroup/cpu.max")


def wait_passively() -> None:
    """Let OpenMP threads sleep while they wait, unless the user's environment says otherwise.

    Must run before torch is imported, which reads it once; child processes inherit it.
    """
    for name, value in PASSIVE.items():
        os.environ.setdefault(name, value)


def set_threads(settings: "Settings", suite: "Suite", number: int) -> None:
    """Give this process, one of `number` that share the machine, its threads."""
    import torch

    torch.set_num_threads(choose_threads(settings, suite, number))


def choose_threads(settings: "Settings", suite: "Suite", number: int) -> int:
    """Threads of each of `number` processes that run the cells of a suite.

    OMP_NUM_THREADS, where the user has set it; one where all LLMs are small; else the cores that
    this process may use, shared equally. How busy they are doesn't count: rounding depends on the
    number of threads, so a cell's predictions would depend on what else runs.
    """
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if given.isdigit() and int(given):
        return int(given)
    if all(_is_small(settings.llm(name)) for name in suite.llms):
        return 1
    return max(1, count_cores() // number)


def count_cores() -> int:
    """The cores that this process may use: by its affinity (Slurm's too) and its container."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    try:
        quota, period = CGROUP.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no container, or another system
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def _is_small(config: "LLMConfig") -> bool:
    """Whether an LLM's weights are small, or elsewhere. Hub names count as large."""
    from methods.models.loading import find_local

    if config.endpoint is not None or config.scratch is not None:
        return True
    if config.revision is not None:
        return False
    try:
        path = find_local(config.name)
    except ModelError:  # a hub name, or a mistake that opening the LLM explains
        return False
    if path.is_file():
        return path.stat().st_size <= SMALL_BYTES
    return sum(file.stat().st_size for file in path.iterdir() if file.is_file()) <= SMALL_BYTES
