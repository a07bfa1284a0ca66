"""The software and hardware that a cell runs on, recorded with every cell."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.records import Environment

PACKAGES = (
    "pplug-bench",
    "torch",
    "transformers",
    "tokenizers",
    "sentence-transformers",
    "peft",
    "accelerate",
    "rank-bm25",
    "rouge-score",
    "sacrebleu",
    "numpy",
)
"""Whose versions can change a result."""


@cache
def describe_environment(processes: int = 1) -> Environment:
    """Versions, hardware and commit of this process, one of so many that run a cell together."""
    import torch

    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        processor=platform.machine(),
        cpus=os.cpu_count(),
        threads=torch.get_num_threads(),
        gpus=tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())),
        packages={name: _find_version(name) for name in PACKAGES},
        commit=_ask_git("rev-parse", "HEAD"),
        dirty=bool(_ask_git("status", "--porcelain")),
        processes=processes,
    )


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _ask_git(*arguments: str) -> str | None:
    """git's answer about the project's own checkout; None where it is none."""
    folder = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
