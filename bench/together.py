"""`accelerate launch -m bench run …`: several processes that run every cell together.

The first process, the main one, prints and writes; the others help to train and to answer.
"""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.common.errors import ConfigError
from tasks.common.launch import count_launched, read_rank

if TYPE_CHECKING:
    from bench.grid import Grid
    from bench.settings import Settings, Suite
    from methods.models.processes import Processes

_here: "list[Processes]" = []
"""The processes of this command, if a launcher has started several."""


def get_processes() -> "Processes":
    """The processes that run this command together; `ALONE` without a launcher."""
    from methods.models.processes import ALONE

    return _here[-1] if _here else ALONE


@contextmanager
def join_launched(arguments: Sequence[str]) -> Iterator[None]:
    """Connect the processes that a launcher has started, if it has; within, all succeed or fail.

    Args:
        arguments: of the command.

    Raises ConfigError for another command than `run`, or where they can't be connected.
    """
    if count_launched() == 1:
        yield
        return
    if read_rank():
        _be_silent()
    if list(arguments[:1]) != ["run"]:
        raise ConfigError(
            f"{count_launched()} processes were started for `bench {' '.join(arguments[:1])}`, "
            "and only `bench run` shares its work among several",
            hint="Run it without a launcher",
        )
    from methods.models.together import join

    with join() as processes, processes.united():
        _here.append(processes)
        try:
            yield
        finally:
            _here.pop()


def _be_silent() -> None:
    """Say nothing: the main process says it all, errors of others included."""
    nothing = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  as long as the process
    sys.stdout = sys.stderr = nothing
    warnings.simplefilter("ignore")


def _find_places(settings: "Settings", suite: "Suite") -> Iterator[tuple[str, str | None]]:
    """Where the suite's models are put: (option, value)."""
    for name in suite.llms:
        yield f"llms.{name}.device", settings.llm(name).device
        yield f"llms.{name}.device_map", settings.llm(name).device_map
    for name in suite.encoders:
        yield f"encoders.{name}.device", settings.encoder(name).device


def check_together(
    settings: "Settings",
    suite: "Suite",
    grid: "Grid",
    processes: "Processes",
    *,
    elsewhere: bool = False,
) -> None:
    """Raise ConfigError where several processes can't run the suite's cells together.

    Args:
        elsewhere: whether the cells are to be run by other workers than this machine's processes.
    """
    if processes.number == 1:
        return
    if elsewhere:
        raise ConfigError(
            f"{processes.number} processes were started, and --engine starts workers of its own",
            hint="Leave --engine out, or start one process",
        )
    if suite.workers > 1:
        raise ConfigError(
            f"suite {grid.suite!r} has {suite.workers} workers, and {processes.number} processes "
            "were started to run each cell together",
            hint="Add --set workers=1, or start one process",
        )
    for key, value in _find_places(settings, suite):
        if key.endswith("device_map") and value is not None:
            raise ConfigError(
                f"{key} = {value!r} spreads an LLM over GPUs, and each of the {processes.number} "
                "processes has one",
                hint="Leave device_map out, or start one process",
            )
        if value not in {None, "auto", "cpu", "cuda"}:
            raise ConfigError(
                f"{key} = {value!r} names a device, and each of the {processes.number} processes "
                "has its own",
                hint='Set it to "auto", or start one process',
            )
    plans = processes.gather([(cell.title, cell.key) for cell in grid.cells])
    for rank, plan in enumerate(plans):
        if plan != plans[0]:
            pairs = zip(plans[0], plan, strict=False)
            differing = (ours for ours, theirs in pairs if ours != theirs)
            title, _ = next(differing, ("the number of cells", ""))
            raise ConfigError(
                f"process {rank + 1} of {processes.number} plans other cells than the first, "
                f"beginning with {title}",
                hint="Give all processes the same bench.toml, data and models",
            )
