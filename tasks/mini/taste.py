"""What is personal: a user's tastes, which may differ by topic and change over time."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar, Generic, Self, TypeVar

from tasks.mini.chance import Weighted, happens, stream
from tasks.mini.lexicon import TOPICS

TOPICS_PER_USER = 4


@dataclass(frozen=True)
class Taste:
    """How a user answers, in named parts. A subclass has one field for each key of `parts`.

    Class attributes:
        parts: field → its values, weighted by how common they are; fields are independent.
    """

    parts: ClassVar[Mapping[str, Weighted]]

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        """Draw the taste of a random user."""
        return cls._from_parts({name: part.draw(rng) for name, part in cls.parts.items()})

    @classmethod
    def population(cls, *varied: str) -> list[tuple[Self, int]]:
        """All tastes with their weights; parts not in `varied` keep their most common value."""
        common = {name: part.most_common() for name, part in cls.parts.items()}
        weights = [cls.parts[name].weights for name in varied]
        return [
            (
                cls._from_parts(common | dict(zip(varied, values, strict=True))),
                prod(weight[value] for weight, value in zip(weights, values, strict=True)),
            )
            for values in product(*weights)
        ]

    @classmethod
    def _from_parts(cls, values: Mapping[str, Any]) -> Self:
        return cls(**values)


T = TypeVar("T", bound=Taste)


@dataclass(frozen=True)
class Tastes(Generic[T]):
    """A user's general taste, and the topics on which it is a different one."""

    general: T
    local: Mapping[str, T]

    def on(self, topic: str) -> T:
        """The taste that applies on a topic."""
        return self.local.get(topic, self.general)


@dataclass(frozen=True)
class User(Generic[T]):
    """A user of one task.

    Attributes:
        id: of the user.
        topics: the user's topics, all equally frequent.
        tastes: the tastes at the start.
        later: the tastes from act number `changes_at` on; None if they never change.
    """

    id: str
    topics: tuple[str, ...]
    tastes: Tastes[T]
    later: Tastes[T] | None = None
    changes_at: int = 0

    def taste(self, topic: str, act: int) -> T:
        """The taste that applies on a topic at the user's act number `act`."""
        if self.later is not None and act >= self.changes_at:
            return self.later.on(topic)
        return self.tastes.on(topic)


def draw_user(
    taste: type[T], id: str, axes: tuple[object, ...], *, share: float, drift: float, acts: int
) -> User[T]:
    """Draw a user, determined by `axes`.

    A taste is drawn for every topic; with probability `share` the general taste applies instead. A
    different `share` therefore changes only which taste applies.

    Args:
        drift: the probability that all tastes are replaced at some point between a quarter and
            three quarters of the user's `acts`.
    """
    rng = stream(*axes, "user")
    topics = tuple(rng.sample(sorted(TOPICS), TOPICS_PER_USER))
    first, later = (_draw_tastes(taste, rng, share) for _ in range(2))
    changes_at = rng.randrange(acts // 4, 3 * acts // 4 + 1)
    return User(id, topics, first, later if happens(rng, drift) else None, changes_at)


def _draw_tastes(taste: type[T], rng: random.Random, share: float) -> Tastes[T]:
    general = taste.draw(rng)
    own = {topic: (happens(rng, share), taste.draw(rng)) for topic in sorted(TOPICS)}
    return Tastes(
        general, {topic: local for topic, (is_general, local) in own.items() if not is_general}
    )
