"""Controls: the same method given another history, to measure how much of it is personal.

"pplug@shuffled-user" answers with another user's history. A method is personal only to the extent
that it beats this control (methods.md §5). "pplug@shuffled-user+training" is also trained that way.
"""

import dataclasses
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from methods.core.key import MethodKey
from methods.core.method import Cost, Method, MethodConfig
from methods.core.runtime import Runtime
from methods.core.task_group import TaskData, TrainOn
from methods.models.access import Access
from methods.models.report import FitReport
from tasks.common.errors import ConfigError, ModelError
from tasks.common.files import write_json
from tasks.common.registry import did_you_mean
from tasks.common.seeds import Seeds
from tasks.example import Behavior, Dataset, Example, Prediction, newest_first

SEPARATOR, IN_TRAINING = "@", "+training"
CLOSEST = 10
"""A shuffled user is drawn from the 10 users with the most similar history length, and ties."""
SHORTER = "control: no other user has as long a history"
CONTROL = "control.json"
"""Marks a folder whose weights were trained on swapped histories."""
OWN_ITEMS = 4
"""Items of own-random: the k of the paper's retrieval rows."""


class Swap:
    """Gives an example another history, seeded by the example's id alone.

    Examples without a history are never drawn, and an empty history stays empty.
    """

    def __init__(self, population: Sequence[Example], seeds: Seeds) -> None:
        self.population = [example for example in population if example.history]
        self.seeds = seeds

    def random(self, example: Example) -> Random:
        """The example's own random stream."""
        return Random(self.seeds.seed(example.id))

    @abstractmethod
    def history(self, example: Example) -> tuple[Behavior, ...]:
        """The history to use instead."""

    def __call__(self, examples: Sequence[Example]) -> list[Example]:
        return [dataclasses.replace(e, history=self.history(e)) for e in examples]

    def of_others(self, example: Example) -> Iterator[Example]:
        """The population without the example's user. Raises ConfigError if nobody is left."""
        if all(other.user_id == example.user_id for other in self.population):
            raise ConfigError(
                f"a control needs a user other than {example.user_id!r} with a history in the "
                "train set",
                id=example.id,
                hint="Leave controls out, or take more train queries",
            )
        return (other for other in self.population if other.user_id != example.user_id)


class ShuffledUser(Swap):
    """Another user's history of similar length, cut to its newest items if it is longer."""

    def __init__(self, population: Sequence[Example], seeds: Seeds) -> None:
        super().__init__(population, seeds)
        self.by_length = sorted(
            self.population, key=lambda e: (len(e.history), seeds.seed("order", e.id))
        )
        self.lengths = [len(example.history) for example in self.by_length]

    def history(self, example: Example) -> tuple[Behavior, ...]:
        size = len(example.history)
        if size == 0:
            return ()
        next(self.of_others(example))
        other = self.random(example).choice(self._closest(example, size))
        newest = set(newest_first(other.history)[:size])
        return tuple(b for i, b in enumerate(other.history) if i in newest)

    def _closest(self, example: Example, size: int) -> list[Example]:
        """The CLOSEST examples of other users by difference in length, and all that tie with them.

        Without the ties, all users of one length would get the same few others.
        """
        right = bisect_left(self.lengths, size)
        radius = 0
        left = right - 1
        found = 0
        while found < CLOSEST and (left >= 0 or right < len(self.lengths)):
            take_right = left < 0 or (
                right < len(self.lengths)
                and self.lengths[right] - size <= size - self.lengths[left]
            )
            nearest = right if take_right else left
            left, right = (left, right + 1) if take_right else (left - 1, right)
            if self.by_length[nearest].user_id != example.user_id:
                found, radius = found + 1, abs(self.lengths[nearest] - size)
        first = bisect_left(self.lengths, size - radius)
        last = bisect_right(self.lengths, size + radius)
        return [e for e in self.by_length[first:last] if e.user_id != example.user_id]


class RandomProfile(Swap):
    """The same number of items, each from a random other user."""

    def history(self, example: Example) -> tuple[Behavior, ...]:
        if not example.history:
            return ()
        random = self.random(example)
        others = list(self.of_others(example))
        drawn = (random.choice(others) for _ in example.history)
        items = [(other, random.choice(other.history)) for other in drawn]
        return tuple(
            dataclasses.replace(item, id=f"{number}:{other.user_id}:{item.id}")
            for number, (other, item) in enumerate(items)
        )


class OwnRandom(Swap):
    """OWN_ITEMS random items of the user's own history, in their original order."""

    def history(self, example: Example) -> tuple[Behavior, ...]:
        size = len(example.history)
        kept = sorted(self.random(example).sample(range(size), min(OWN_ITEMS, size)))
        return tuple(example.history[i] for i in kept)


SWAPS: dict[str, type[Swap]] = {
    "shuffled-user": ShuffledUser,
    "random-profile": RandomProfile,
    "own-random": OwnRandom,
}


class Controlled(Method):
    """A method whose examples come with swapped histories; `make_control` makes its subclasses."""

    inner_class: type[Method]
    swap_class: type[Swap]
    in_training: bool

    def __init__(self, config: MethodConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self.inner = self.inner_class(config, runtime)

    @classmethod
    def applicable(cls, task: Any) -> bool:
        return cls.inner_class.applicable(task)

    @classmethod
    def trains_on(cls, config: MethodConfig) -> TrainOn:
        return cls.inner_class.trains_on(config)

    @classmethod
    def access(cls, config: MethodConfig) -> Access:
        return cls.inner_class.access(config)

    @classmethod
    def key(cls, config: MethodConfig) -> MethodKey:
        return MethodKey(cls.name, cls.version, parts={"method": cls.inner_class.key(config)})

    @classmethod
    def fit_key(cls, config: MethodConfig) -> MethodKey:
        """The inner method's own, so that both share one fit, unless training is swapped too."""
        own = cls.inner_class.fit_key(config)
        return MethodKey(cls.name, cls.version, parts={"method": own}) if cls.in_training else own

    def swap(self) -> Swap:
        """The swap, with the train users as the population."""
        return self._swap_among(self.runtime.population, self.runtime.seeds)

    def _swap_among(self, population: Sequence[Example], seeds: Seeds) -> Swap:
        return self.swap_class(population, seeds.child(self.swap_class.__name__))

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        if not self.in_training:
            return self.inner.fit(train, dev)
        group = self.runtime.group
        if group is not None and self.trains_on(self.config) != "task":
            swapped = dataclasses.replace(
                group, load=lambda name: self._swap_data(group.load(name))
            )
            self.inner.runtime = dataclasses.replace(self.runtime, group=swapped)
        swap = self.swap()
        return self.inner.fit(_swap_set(train, swap), dev and _swap_set(dev, swap))

    def _swap_data(self, data: TaskData) -> TaskData:
        """Another task's data, its histories swapped among the users of that task."""
        swap = self._swap_among(data.population, data.seeds)
        return dataclasses.replace(
            data, train=_swap_set(data.train, swap), dev=data.dev and _swap_set(data.dev, swap)
        )

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        swapped = self.swap()(examples)
        return [
            dataclasses.replace(answer, note=answer.note or SHORTER)
            if len(other.history) < len(own.history) and self.swap_class is not OwnRandom
            else answer
            for own, other, answer in zip(
                examples, swapped, self.inner.predict(swapped), strict=True
            )
        ]

    def save(self, folder: Path) -> None:
        self.inner.save(folder)
        if self.in_training:
            write_json(folder / CONTROL, {"trained_under": self.name})

    def load(self, folder: Path) -> None:
        if self.in_training != (folder / CONTROL).is_file():
            raise ModelError(
                f"was {'not ' if self.in_training else ''}trained on swapped histories",
                file=folder,
                hint=f"Give a folder that {self.name} was saved to",
            )
        self.inner.load(folder)

    def cost(self) -> Cost:
        return self.inner.cost()


def _swap_set(data: Dataset, swap: Swap) -> Dataset:
    return dataclasses.replace(data, examples=tuple(swap(data.examples)))


def make_control(method: type[Method], control: str) -> type[Method]:
    """`method` under a control, e.g. "shuffled-user" or "shuffled-user+training".

    Raises ConfigError for an unknown control.
    """
    name = control.removesuffix(IN_TRAINING)
    if name not in SWAPS:
        raise ConfigError(f"unknown control {name!r}", hint=did_you_mean(name, list(SWAPS)))
    return type(
        f"{method.__name__}Under{SWAPS[name].__name__}",
        (Controlled,),
        {
            "__doc__": f"{method.name} under the control {control}.",
            "name": f"{method.name}{SEPARATOR}{control}",
            "version": method.version,
            "uses_llm": method.uses_llm,
            "uses_encoder": method.uses_encoder,
            "sees_golds": method.sees_golds,
            "bound": method.bound,
            "trains_in_parallel": method.trains_in_parallel,
            "predicts_in_parallel": method.predicts_in_parallel,
            "Config": method.Config,
            "inner_class": method,
            "swap_class": SWAPS[name],
            "in_training": control.endswith(IN_TRAINING),
        },
    )
