"""What methods over a pool share: its members by name, their fits, predictions and files."""

import dataclasses
import json
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from methods.core.method import Cost, Method, MethodConfig
from methods.core.runtime import Runtime
from methods.models.config import EncoderConfig, LLMConfig
from methods.models.report import FitReport
from methods.pool.members import ABOUT, Pool
from tasks.common.errors import ConfigError, ModelError
from tasks.example import Dataset, Prediction


class MemberConfig(MethodConfig):
    """`method`: registered, or "module:Class"; `options`: its own."""

    method: str
    options: dict[str, Any] = Field(default_factory=dict)


def default_pool() -> dict[str, MemberConfig]:
    """The paper's pool without the retrievers that are trained (methods.md §3d)."""
    methods = {"none": "zero-shot", "recency": "recency", "bm25": "bm25", "dense": "dense"}
    return {name: MemberConfig(method=method) for name, method in methods.items()}


class PoolConfig(MethodConfig):
    """`pool`: name → member; of equally good ones, the first is taken."""

    pool: dict[str, MemberConfig] = Field(default_factory=default_pool)

    @model_validator(mode="after")
    def _members_exist(self) -> Self:
        if len(self.pool) < 2:
            raise ConfigError(
                f"a pool of {len(self.pool)} leaves nothing to choose",
                hint='Name at least two members, such as pool.bm25 = { method = "bm25" }',
            )
        self.members()
        return self

    def named_models(self) -> list[LLMConfig | EncoderConfig]:
        """Its own and its members'."""
        named = super().named_models()
        for _, config in self.members().values():
            named += config.named_models()
        return named

    def members(self) -> dict[str, tuple[type[Method], MethodConfig]]:
        """Each member's class and checked options. Raises ConfigError, naming the member."""
        from methods import METHODS

        found: dict[str, tuple[type[Method], MethodConfig]] = {}
        for name, member in self.pool.items():
            try:
                method = METHODS.get(member.method)
            except ConfigError as error:
                raise ConfigError(f"pool member {name!r}: {error.what}", hint=error.hint) from error
            if method.sees_golds:
                raise ConfigError(
                    f"pool member {name!r}: {member.method!r} looks at the golds",
                    hint="Take it out of the pool",
                )
            config = method.parse_config(member.options, f"options of pool member {name!r}:")
            found[name] = method, config
        return found


class PoolMethod(Method):
    """A method that answers with the answer of one of several methods."""

    uses_encoder = True
    Config: ClassVar[type[MethodConfig]] = PoolConfig
    config: PoolConfig

    def __init__(self, config: MethodConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        for name, (method, _) in self.config.members().items():
            if not method.applicable(type(self.task)):
                raise ConfigError(
                    f"pool member {name!r}: {method.name!r} is not applicable to {self.task.name}",
                    hint="Take it out of the pool, or the task out of the suite",
                )

    @classmethod
    def is_personal(cls, config: MethodConfig) -> bool:
        assert isinstance(config, PoolConfig)  # noqa: S101  its own Config
        return any(method.is_personal(options) for method, options in config.members().values())

    @classmethod
    def identity(cls, config: MethodConfig) -> list[Any]:
        """Its own options and its members', in their order."""
        assert isinstance(config, PoolConfig)  # noqa: S101  its own Config
        members = [
            [name, method.identity(options)] for name, (method, options) in config.members().items()
        ]
        return [cls.name, cls.version, config.model_dump(mode="json", exclude={"pool"}), members]

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
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(
                f"holds no readable pool ({error})",
                file=file,
                hint="Give a folder that a method over a pool was saved to",
            ) from error
        self.pool.load(folder, fits)

    def cost(self) -> Cost:
        return self.pool.cost()


def note_member(answer: Prediction, name: str) -> Prediction:
    """A member's answer with its name in the note, so that totals count who was chosen."""
    note = f"member {name}" + (f": {answer.note}" if answer.note else "")
    return dataclasses.replace(answer, note=note)
