"""Whether a launcher has started several processes for one command. Imports no torch."""

import os

NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
ADDRESS = "MASTER_ADDR"
"""The environment variables by which torchrun and `accelerate launch` number their processes."""


def count_launched() -> int:
    """Processes that a launcher has started for this command; 1 without one."""
    return _read("WORLD_SIZE") or 1 if _is_launched() else 1


def count_launched_here() -> int:
    """Those of them on this machine."""
    return _read("LOCAL_WORLD_SIZE") or count_launched()


def read_rank() -> int:
    """The number of this process among them; 0 without a launcher."""
    return (_read("RANK") or 0) if count_launched() > 1 else 0


def _is_launched() -> bool:
    return all(_read(name) is not None for name in NUMBERS) and bool(os.environ.get(ADDRESS))


def _read(name: str) -> int | None:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else None
