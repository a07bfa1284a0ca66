"""Training on several of a suite's tasks at once: which of them, and their data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.common.errors import ConfigError
from tasks.common.seeds import Seeds
from tasks.example import Dataset, Example
from tasks.task import Task

TrainOn = Literal["task", "all", "others"]
"""On which of a suite's tasks a method is trained: the one that it is asked on, all of them, or all
but that one."""


@dataclass(frozen=True)
class TaskData:
    """What a method may learn from on one task, as `Method.fit` and the task's Runtime have it.

    Attributes:
        train, dev: with golds; `dev` is never the evaluated set, and None if there is none.
        population: the whole train set's examples.
    """

    task: Task
    seeds: Seeds
    train: Dataset
    dev: Dataset | None
    population: Sequence[Example]


@dataclass(frozen=True)
class TaskGroup:
    """The tasks of a suite that a method applies to.

    Attributes:
        names: of the tasks; their order decides nothing.
        seeds: of what is trained on several tasks, the same for each of them.
        load: name → data; called only when something is trained on that task.
    """

    names: tuple[str, ...]
    seeds: Seeds
    load: Callable[[str], TaskData]


def choose_tasks(train_on: TrainOn, own: str, names: Sequence[str]) -> tuple[str, ...]:
    """The tasks to train on, in alphabetical order; () if only `own` is meant by "task".

    Args:
        own: the task that the method is asked on.
        names: the tasks of the suite.

    Raises ConfigError where the suite has no other task.
    """
    if train_on == "task":
        return ()
    others = sorted({*names} - {own})
    if not others:
        raise ConfigError(
            f'train_on = "{train_on}" needs several tasks, and the suite has {own} alone',
            hint='Add tasks to the suite, or set train_on = "task"',
        )
    return tuple(sorted({own, *others})) if train_on == "all" else tuple(others)
