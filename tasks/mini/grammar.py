"""The interface of LaMP-mini's tasks: contents, and how users of a given taste answer them."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from tasks.mini.taste import Taste
from tasks.templates.lamp_task import LaMPTask

C = TypeVar("C")
T = TypeVar("T", bound=Taste)


class TaskGrammar(ABC, Generic[C, T]):
    """Draws the contents of one task, and knows how a user of any taste answers them.

    A content is what a query or a profile item is about. It is drawn independently of noise and of
    which taste applies, so options that change these leave the texts unchanged.

    Class attributes:
        task: the LaMP task whose prompts and fields are used.
        taste: the class of its users' tastes.
        natural_share: how often a user's general taste applies unless the world sets
            `global_share`; chosen to resemble the original task.
    """

    task: ClassVar[LaMPTask]
    taste: type[T]
    natural_share: ClassVar[float]

    @abstractmethod
    def draw(self, rng: random.Random, topic: str) -> C:
        """Draw a content on a topic, independent of any user."""

    def draw_for(self, rng: random.Random, topic: str, taste: T, elsewhere: Sequence[T]) -> C:  # noqa: ARG002
        """Draw a content for a user; only in LaMP-1 does it depend on the user.

        Args:
            taste: the user's taste on this topic.
            elsewhere: the user's tastes on their other topics.
        """
        return self.draw(rng, topic)

    @abstractmethod
    def text(self, content: C) -> str:
        """The content as the query states it; unique within a world."""

    def input(self, content: C) -> str:
        """The official prompt about the content."""
        return f"{self.task.instruction} {self.text(content)}"

    @abstractmethod
    def answer(self, content: C, taste: T) -> str:
        """The answer of a user with this taste, without noise: the oracle answer."""

    @abstractmethod
    def slip(self, rng: random.Random, content: C, taste: T) -> str:
        """A noisy answer of a user with this taste."""

    @abstractmethod
    def item(self, content: C, answer: str) -> dict[str, Any]:
        """The profile item for a content and its answer, without id and date."""

    @abstractmethod
    def user_blind(self, content: C) -> str:
        """The answer with the highest expected primary metric over the population of tastes."""

    @abstractmethod
    def guess(self, rng: random.Random, content: C) -> str:
        """A random label; in generation, the answer of a taste drawn uniformly."""

    @abstractmethod
    def state_taste(self, rng: random.Random, content: C, taste: T) -> str:
        """The part of the taste that decides on this content, in words."""

    def hint_at_taste(self, rng: random.Random, content: C, taste: T) -> str:
        """Like `state_taste`, but in words that don't contain the answer. Default: the same."""
        return self.state_taste(rng, content, taste)

    def abridge(self, content: C, answer: str) -> str:  # noqa: ARG002
        """The part of a history item that reveals the taste. Default: the answer."""
        return answer

    def is_clear(self, content: C) -> bool:  # noqa: ARG002
        """Whether a single part of the taste decides on the content. Default: yes."""
        return True


def join_sentences(rng: random.Random, phrases: list[str]) -> str:
    """Join phrases in random order, ending each with a full stop."""
    return " ".join(f"{phrase} ." for phrase in rng.sample(phrases, len(phrases)))
