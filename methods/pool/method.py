"""The base class of methods that choose among the answers of a pool, and their options."""

import dataclasses
import json
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator
from typing_extensions import TypeVar

from methods.core.key import MethodKey
from methods.core.method import Cost, Method, MethodConfig
from methods.core.runtime import Runtime
from methods.models.access import Access
from methods.models.config import EncoderConfig, LLMConfig
from methods.models.report import FitReport
from methods.pool.members import ABOUT, Pool
from tasks.common.errors import ConfigError, ModelError
from tasks.example import Dataset, Prediction


class MemberConfig(MethodConfig):
    """One member.

    Attributes:
        method: a registered name, or "module:Class".
        options: the options of that method.
    """

    method: str
    options: dict[str, Any] = Field(default_factory=dict)


def default_pool() -> dict[str, MemberConfig]:
    """The paper's pool without its trained retrievers (methods.md §3d)."""
    methods = {"none": "zero-shot", "recency": "recency", "bm25": "bm25", "dense": "dense"}
    return {name: MemberConfig(method=method) for name, method in methods.items()}


class PoolConfig(MethodConfig):
    """`pool`: name → member; among equally good members, the first one answers."""

    pool: dict[str, MemberConfig] = Field(default_factory=default_pool)

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        if len(self.pool) < 2:
            raise ConfigError(
                f"a pool of {len(self.pool)} leaves nothing to choose",
                hint='Name at least two members, such as pool.bm25 = { method = "bm25" }',
            )
        self.members()
        return self

    def named_models(self) -> list[LLMConfig | EncoderConfig]:
        """The method's own models and those of its members."""
        named = super().named_models()
        for _, config in self.members().values():
            named += config.named_models()
        return named

    def members(self) -> dict[str, tuple[type[Method], MethodConfig]]:
        """Name → class and checked options. Raises ConfigError, naming the member."""
        from methods import METHODS

        found: dict[str, tuple[type[Method], MethodConfig]] = {}
        for name, member in self.pool.items():
            try:
                method = METHODS.get(member.method)
            except ConfigError as error:
                raise ConfigError(f"pool member {name!r}: {error.what}", hint=error.hint) from error
            if method.sees_golds:
                raise ConfigError(
                    f"pool member {name!r}: {member.method!r} reads the golds",
                    hint="Remove it from the pool",
                )
            config = method.parse_config(member.options, f"options of pool member {name!r}:")
            if method.trains_on(config) != "task":
                raise ConfigError(
                    f"pool member {name!r} is trained on several tasks, and a pool has one",
                    hint='Set train_on = "task" for it, or remove it from the pool',
                )
            found[name] = method, config
        return found


P = TypeVar("P", bound=PoolConfig, default=PoolConfig)


class PoolMethod(Method[P]):
    """A method that answers with one of its members' answers."""

    uses_encoder = True

    def __init__(self, config: P, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        for name, (method, _) in self.config.members().items():
            if not method.applicable(type(self.task)):
                raise ConfigError(
                    f"pool member {name!r}: {method.name!r} is not applicable to {self.task.name}",
                    hint="Remove it from the pool, or the task from the suite",
                )

    @classmethod
    def is_personal(cls, config: P) -> bool:
        return any(method.is_personal(options) for method, options in config.members().values())

    @classmethod
    def access(cls, config: P) -> Access:
        """What its members need."""
        return max(method.access(options) for method, options in config.members().values())

    @classmethod
    def key(cls, config: P) -> MethodKey:
        """Its own options, and the members as parts, in their order."""
        own = config.key_options()
        del own["pool"]
        members = {
            name: method.key(options) for name, (method, options) in config.members().items()
        }
        return MethodKey(cls.name, cls.version, own, members)

    @cached_property
    def pool(self) -> Pool:
        """The members."""
        return Pool(self.config.members(), self.runtime)

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        self.pool.fit(train, dev)
        return FitReport()

    def save(self, folder: Path) -> None:
        self.pool.save(folder)

    def load(self, folder: Path) -> None:
        file = folder / ABOUT
        try:
            fits = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise ModelError(
                f"holds no readable pool ({error})",
                file=file,
                hint="Give a folder that a pool method was saved to",
            ) from error
        self.pool.load(folder, fits)

    def cost(self) -> Cost:
        return self.pool.cost()


def note_member(answer: Prediction, name: str) -> Prediction:
    """The answer with the member's name in its note, so that totals count each member's answers."""
    note = f"member {name}" + (f": {answer.note}" if answer.note else "")
    return dataclasses.replace(answer, note=note)
