"""What a cell's predictions depend on, as an object with named parts."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from methods.core.key import MethodKey
from tasks.budget import BudgetRule
from tasks.common.files import content_key
from tasks.common.words import LAMP, WordRule

VERSION = 3
"""A bump means that no stored cell is valid any more."""


@dataclass(frozen=True)
class SetKey:
    """A set of a task's data: its name and the hash of its content."""

    set: str
    data: str


@dataclass(frozen=True)
class TaskKey:
    """A task that a method of another task's cell is trained on.

    Attributes:
        train, watched: as in `CellKey`, hashes of that task's sets.
        words: in the key only if not as in LaMP.
    """

    name: str
    version: int
    train: str
    watched: str | None
    words: WordRule = LAMP

    def to_json(self) -> dict[str, Any]:
        """The key without the name, as JSON."""
        words = {} if self.words == LAMP else {"words": self.words}
        return {"version": self.version, "train": self.train, "watched": self.watched, **words}


@dataclass(frozen=True)
class CellKey:
    """Everything that decides a cell's predictions; cells with equal keys are the same cell.

    Metrics, batch sizes, devices and the names in bench.toml are not in it.

    Attributes:
        split: LaMP's "user" or "time".
        train, evaluate: the sets to fit on and to answer.
        watched: hash of the dev set, if fitting may watch it.
        validation_share: share of the train queries held out from training.
        method: the method and its options; `fit`: what its `fit` depends on.
        llm, encoder: content keys; None if the method doesn't use one.
        max_input_tokens, budget_rule: the prompt budget; None without an LLM.
        models: content keys of the models that the method's own options name.
        words: how the task's texts are divided into words; in the key only if not as in LaMP.
        trained_on: all tasks that `fit` learns from, if that isn't the cell's own task alone; else
            (), and not in the key.
    """

    task: str
    task_version: int
    split: str
    train: SetKey
    evaluate: SetKey
    watched: str | None
    validation_share: float
    method: MethodKey
    fit: MethodKey
    llm: str | None
    max_input_tokens: int | None
    budget_rule: BudgetRule | None
    encoder: str | None
    models: tuple[str, ...]
    seed: int
    words: WordRule = LAMP
    trained_on: tuple[TaskKey, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The key as JSON, as it stands in a cell's record."""
        skipped = {"fit", "trained_on", "words"} if self.words == LAMP else {"fit", "trained_on"}
        names = [field.name for field in fields(self) if field.name not in skipped]
        trained_on = {task.name: task.to_json() for task in self.trained_on}
        return {
            "key_version": VERSION,
            **{name: getattr(self, name) for name in names},
            "train": {**vars(self.train)},
            "evaluate": {**vars(self.evaluate)},
            "method": self.method.to_json(),
            "models": list(self.models),
            **({"trained_on": trained_on} if trained_on else {}),
        }

    @cached_property
    def digest(self) -> str:
        """12 hex digits, which name the cell's folder."""
        return content_key(self.to_json(), length=12)

    @cached_property
    def fit_digest(self) -> str:
        """Hash of everything that decides what `fit` learns; cells that share it share one fit.

        The evaluated data stay out, but for the set's name: it decides what `fit` may watch. Where
        a fit is of several tasks, the cell's own task counts only if it is among them.
        """
        alone = replace(self, method=self.fit, evaluate=SetKey(self.evaluate.set, ""))
        if self.trained_on:
            nothing = SetKey(self.train.set, "")
            alone = replace(alone, task="", task_version=0, train=nothing, watched=None, words=LAMP)
        return content_key(alone.to_json())
