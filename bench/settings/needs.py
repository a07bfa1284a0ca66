"""What a cell with a certain model takes of a node; nothing of it changes a result's key."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, PositiveFloat, PositiveInt

from methods.models.config import FrozenConfig


def _check_share(gpus: float) -> float:
    if gpus > 1 and not gpus.is_integer():
        raise ValueError("more than one GPU must be a whole number of them")
    return gpus


GPUs = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_check_share)]


class NeedsSettings(FrozenConfig, BaseModel):
    """What a worker takes of a node while it runs cells with an LLM or encoder.

    Attributes:
        cpus: cores, which are also the worker's threads. None: one where GPUs do the work, else the
            threads that a process of the local engine has (see `bench.threads`).
        gpus: may be a share of one, such as 0.5. None: one where the cluster has any and the
            model's `device` lets it use them.
        memory_gib: main memory in GiB. None: not counted.
    """

    cpus: PositiveInt | None = None
    gpus: GPUs | None = None
    memory_gib: PositiveFloat | None = None
