"""What a cell with a certain model takes of a node; nothing of it changes a result's key."""

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from methods.models.config import FrozenConfig


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
    gpus: float | None = Field(None, ge=0, allow_inf_nan=False)
    memory_gib: PositiveFloat | None = None
