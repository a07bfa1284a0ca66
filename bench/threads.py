"""How many threads a process computes with, and how they wait for each other.

Threads that spin while they wait take a core from whoever else works on the machine.
`tests/perf/threads.py` measures what that costs.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common.errors import ModelError

if TYPE_CHECKING:  # the command line imports this module for `bench --help` too
    from bench.settings import Settings, Suite
    from methods.models.config import EncoderConfig, LLMConfig

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


def set_threads(number: int) -> None:
    """Let an operation of torch use that many threads in this process."""
    import torch

    count_default_threads()  # which this number would hide
    torch.set_num_threads(number)


def choose_threads(
    settings: "Settings", suite: "Suite", number: int, methods: Sequence[str] = ()
) -> int:
    """Threads of each of `number` processes that share the cores and run cells of a suite.

    Those of OMP_NUM_THREADS, where it is set, shared among the processes; one where all
    models are small; else the cores that this process may use, shared as well. How busy the cores
    are and how many cells are left doesn't count: rounding depends on the number of threads, so a
    cell's predictions would depend on what else runs.

    Args:
        methods: that run on the suite's terms besides its own.

    Raises ConfigError: a method, LLM or encoder of the suite is unknown.
    """
    given = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not given and all(map(_is_small, _find_models(settings, suite, methods))):
        return 1
    return max(1, min(count_default_threads(), count_cores()) // number)


@cache
def count_default_threads() -> int:
    """Threads that torch takes by itself: OMP_NUM_THREADS, else the physical cores it may use."""
    import torch

    return torch.get_num_threads()


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


def _find_models(
    settings: "Settings", suite: "Suite", methods: Sequence[str]
) -> Iterator["LLMConfig | EncoderConfig"]:
    """The suite's LLMs and encoders, and the models that options of its methods name."""
    from bench.rows import resolve_row

    yield from (settings.llm(name) for name in suite.llms)
    yield from (settings.encoder(name) for name in suite.encoders)
    for method in (*suite.methods, *methods):
        yield from resolve_row(settings, suite, method, None).config.named_models()


def _is_small(config: "LLMConfig | EncoderConfig") -> bool:
    """Whether a model's weights are small, or elsewhere. Hub names count as large."""
    from methods.models.config import LLMConfig
    from methods.models.loading import find_local

    if isinstance(config, LLMConfig) and (config.endpoint or config.scratch):
        return True
    if config.model is None or config.revision is not None:
        return False
    try:
        path = find_local(config.model)
    except ModelError:  # a hub name, or a mistake that opening the model explains
        return False
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) <= SMALL_BYTES
