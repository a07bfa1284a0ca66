"""What a method is: the one interface by which the harness knows it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from methods.models.config import EncoderConfig, LLMConfig
from methods.models.report import FitReport
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean
from tasks.example import Dataset, Example, Prediction
from tasks.task import Task

if TYPE_CHECKING:
    from methods.core.runtime import Runtime


class MethodConfig(BaseModel):
    """A method's hyper-parameters: frozen, and a key it doesn't know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def named_models(self) -> list[LLMConfig | EncoderConfig]:
        """Models named here beside the suite's; their content is a part of every key.

        Default: those that are options themselves.
        """
        return [value for _, value in self if isinstance(value, LLMConfig | EncoderConfig)]


@dataclass(frozen=True)
class Cost:
    """What a deployment of the method needs beside the frozen LLM.

    Attributes:
        trainable_shared: parameters trained once for all users.
        trainable_per_user: parameters trained for each user.
        bytes_per_user: mean bytes stored for a user at prediction time (beside the history's text).
        seconds_per_user: mean time of the training that a user's own part took, in seconds.
    """

    trainable_shared: int = 0
    trainable_per_user: int = 0
    bytes_per_user: float = 0.0
    seconds_per_user: float = 0.0


class Method(ABC):
    """A way to answer a user's query with a frozen LLM.

    Life: constructed with its config and a Runtime; `fit` once (or `load`); `predict` any number of
    times; `save`. The constructor must be cheap: models come lazily from the runtime.

    Class attributes:
        name: the registered name, a string literal in the class body.
        version: a bump means that results are not comparable with earlier ones.
        uses_llm, uses_encoder: False keeps that model out of the cell's key (and unloaded).
        seeded: False: no seed changes its predictions, so that one of a suite's seeds is run. A
            subclass that draws anything must say True again.
        sees_golds: True gives its runtime the golds that it is scored on.
        bound: True for what bounds methods and is none: no table calls its row the best.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    uses_llm: ClassVar[bool] = True
    uses_encoder: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    sees_golds: ClassVar[bool] = False
    bound: ClassVar[bool] = False
    Config: ClassVar[type[MethodConfig]] = MethodConfig

    def __init__(self, config: MethodConfig, runtime: "Runtime") -> None:
        self.config = config
        self.runtime = runtime
        self.task = runtime.task

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:  # noqa: ARG003
        """Whether the method makes sense for `task`; where not, its cells are left out and named.

        Decided by the Task interface alone (kind, labels), never by a task's name. Default: always.
        """
        return True

    @classmethod
    def is_personal(cls, config: MethodConfig) -> bool:  # noqa: ARG003
        """Whether answers depend on the history: where not, controls say nothing. Default: yes."""
        return True

    @classmethod
    def parse_config(cls, options: Mapping[str, Any], place: str) -> MethodConfig:
        """Checked options. Raises ConfigError, naming `place` and the key, for a wrong one."""
        try:
            return cls.Config(**options)
        except ValidationError as error:
            fault = error.errors()[0]
            key = ".".join(str(part) for part in fault["loc"])
            if fault["type"] == "extra_forbidden":
                raise ConfigError(
                    f"{place} `{key}`: unknown option",
                    hint=did_you_mean(key, list(cls.Config.model_fields)),
                ) from error
            raise ConfigError(f"{place} `{key}`: {fault['msg']}", hint="Correct it") from error

    @classmethod
    def identity(cls, config: MethodConfig) -> list[Any]:
        """What predictions depend on beside data and models, as JSON: the method's part of a key.

        Default: the method, its version and all its options.
        """
        return [cls.name, cls.version, config.model_dump(mode="json")]

    @classmethod
    def fit_identity(cls, config: MethodConfig) -> list[Any]:
        """What `fit` depends on beside data and models, as JSON; equal ones are fitted once.

        Default: as `identity`.
        """
        return cls.identity(config)

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:  # noqa: ARG002
        """Learn from the train split. `dev` is never the evaluated set; None where there is none.

        Default: nothing to fit.
        """
        return FitReport()

    @abstractmethod
    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction per example, in their order.

        The same examples give the same predictions whatever the batch size and whatever other
        examples stand beside them.
        """

    def save(self, folder: Path) -> None:
        """Write what `fit` learned (safetensors and JSON, never pickle). Default: nothing."""

    def load(self, folder: Path) -> None:
        """Read what `save` wrote. Default: nothing. Raises ModelError where it doesn't fit."""

    def cost(self) -> Cost:
        """Parameters and bytes, known after `fit` or `load`."""
        return Cost()
