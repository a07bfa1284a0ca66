"""`bench run --engine` and `--address`: what runs a grid's cells."""

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cluster.connection import check_engine
from tasks.common.errors import ConfigError

if TYPE_CHECKING:
    from bench.engine import RunCells


class Engine(StrEnum):
    """What runs a grid's cells: this machine's own processes, or Ray."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[Engine, typer.Option("--engine", help="What runs the cells.")]
Address = Annotated[
    str | None,
    typer.Option(
        help="With --engine ray: HOST:PORT of the cluster's head, or auto for the cluster that "
        "this machine belongs to. Without it, Ray is started on this machine."
    ),
]


def choose_engine(name: Engine, address: str | None) -> "RunCells | None":
    """What runs the cells; None: this machine's own processes. Raises ConfigError."""
    if name is Engine.LOCAL:
        if address is not None:
            raise ConfigError("--address is of a Ray cluster", hint="Add --engine ray")
        return None
    check_engine(address)
    from bench.cluster.engine import run

    return partial(run, address=address)
