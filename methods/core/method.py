"""What a method is: the one interface by which the harness knows it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, get_args, get_origin

from pydantic import ValidationError
from typing_extensions import TypeVar

from methods.core.key import MethodKey
from methods.core.task_group import TrainOn
from methods.models.access import Access
from methods.models.config import EncoderConfig, FrozenConfig, LLMConfig
from methods.models.report import FitReport
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean
from tasks.example import Dataset, Example, Prediction
from tasks.task import Task

if TYPE_CHECKING:
    from methods.core.runtime import Runtime


class MethodConfig(FrozenConfig):
    """A method's hyper-parameters."""

    def named_models(self) -> list[LLMConfig | EncoderConfig]:
        """Models that the options name besides the suite's; their content is part of every key.

        Default: the options that are models themselves.
        """
        return [value for _, value in self if isinstance(value, LLMConfig | EncoderConfig)]


C = TypeVar("C", bound=MethodConfig, default=MethodConfig)


@dataclass(frozen=True)
class Cost:
    """What a deployment of the method needs in addition to the frozen LLM.

    Attributes:
        trainable_shared: parameters trained once for all users.
        trainable_per_user: parameters trained for each user.
        bytes_per_user: mean bytes stored per user at prediction time, without the history's text.
        seconds_per_user: mean training time of a user's own part, in seconds. It is measured, so a
            method that trains while it predicts (user-lora) counts the cell's users so far.
    """

    trainable_shared: int = 0
    trainable_per_user: int = 0
    bytes_per_user: float = 0.0
    seconds_per_user: float = 0.0


class Method(ABC, Generic[C]):
    """A way to answer a user's query with a frozen LLM.

    A method is constructed with its config and a Runtime, then `fit` once (or `load`), and its
    `predict` is called any number of times. The constructor must be cheap: models are opened
    lazily by the runtime. A subclass with options of its own is declared as
    `class MyMethod(Method[MyConfig])`.

    Class attributes:
        name: the registered name, a string literal in the class body.
        version: a bump means that results are not comparable with earlier ones.
        uses_llm, uses_encoder: False keeps that model out of the cell's key, and unloaded.
        seeded: False if no seed changes the predictions, so that only one seed is run. A subclass
            that draws random numbers must set it to True again.
        sees_golds: True gives its runtime the golds that it is scored on.
        learns_answers: True if an LLM is trained to give a task's golds or the responses of
            histories, so that it applies only where golds are answers.
        bound: True for an upper or lower bound, which no table marks as the best method.
        trains_in_parallel: True if several processes may call `fit` at once, which train together
            (`Runtime.processes`); of other methods only the main process's fits, and others load.
        predicts_in_parallel: True if several processes may call `predict` at once, each with the
            examples of other users; of other methods only the main process answers.
        Config: the options' type, taken from `Method[...]`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    uses_llm: ClassVar[bool] = True
    uses_encoder: ClassVar[bool] = False
    seeded: ClassVar[bool] = True
    sees_golds: ClassVar[bool] = False
    learns_answers: ClassVar[bool] = False
    bound: ClassVar[bool] = False
    trains_in_parallel: ClassVar[bool] = False
    predicts_in_parallel: ClassVar[bool] = False
    Config: ClassVar[type[MethodConfig]] = MethodConfig

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "Config" in vars(cls):
            return
        for base in vars(cls).get("__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Method):
                (config,) = get_args(base)
                bound = getattr(config, "__bound__", None)  # of a TypeVar: a generic subclass
                cls.Config = bound or config

    def __init__(self, config: C, runtime: "Runtime") -> None:
        self.config = config
        self.runtime = runtime
        self.task = runtime.task

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:
        """Whether the method makes sense for `task`; if not, its cells are left out and listed.

        Decided by the Task interface (kind, labels), never by a task's name. Default: unless it
        `learns_answers` and the task's golds are none.
        """
        return task.gold_is_answer or not cls.learns_answers

    @classmethod
    def is_personal(cls, config: C) -> bool:  # noqa: ARG003
        """Whether answers depend on the history; if not, controls are pointless. Default: yes."""
        return True

    @classmethod
    def trains_on(cls, config: C) -> TrainOn:  # noqa: ARG003
        """On which tasks `fit` learns, and so which data its key names. Default: on its own.

        A method that is trained on others finds their data in `Runtime.group`.
        """
        return "task"

    @classmethod
    def access(cls, config: C) -> Access:  # noqa: ARG003
        """What the method needs of the LLM; on one that gives less, its cells are left out.

        Default: to ask prompts, `Runtime.llm`. More than that is read from `Runtime.local_llm`.
        """
        return Access.TEXT

    @classmethod
    def parse_config(cls, options: Mapping[str, Any], place: str) -> MethodConfig:
        """Validated options. Raises ConfigError, naming `place` and the key, for a wrong one."""
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
    def key(cls, config: C) -> MethodKey:
        """What predictions depend on besides data and models: the method's part of a cell's key.

        Default: the method, its version and all its options.
        """
        return MethodKey(cls.name, cls.version, config.key_options())

    @classmethod
    def fit_key(cls, config: C) -> MethodKey:
        """What `fit` depends on besides data and models; methods with equal keys share one fit.

        Default: `key`.
        """
        return cls.key(config)

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:  # noqa: ARG002
        """Learn from the train set. `dev` is never the evaluated set; None if there is none.

        Default: nothing to fit.
        """
        return FitReport()

    @abstractmethod
    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """One prediction per example, in the same order.

        An example's prediction must not depend on the batch size or on the other examples.
        """

    def weigh_history(
        self,
        examples: Sequence[Example],  # noqa: ARG002
    ) -> list[dict[str, float]] | None:
        """What each item of a history counted for in the answer: item id → weight, per example.

        Called after `fit` or `load`, with examples to predict. It is stored for reports, and no
        result depends on it. Default: None, for methods that don't weigh single items.
        """
        return None

    def save(self, folder: Path) -> None:
        """Write what `fit` learned (safetensors and JSON, never pickle). Default: nothing."""

    def load(self, folder: Path) -> None:
        """Read what `save` wrote. Default: nothing. Raises ModelError if it doesn't fit."""

    def cost(self) -> Cost:
        """What a deployment needs.

        Everything but measured seconds is known after `fit` or `load`, before any prediction.
        """
        return Cost()
