"""What a task of LaMP-mini is: contents, and the answers that tastes give to them."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from tasks.mini.taste import Taste
from tasks.templates.lamp_task import LaMPTask

C = TypeVar("C")
T = TypeVar("T", bound=Taste)


class Grammar(ABC, Generic[C, T]):
    """One task: draws contents, and knows what a user of any taste answers to one.

    A content is what a query and a profile item are about. It is drawn apart from noise and from
    whose taste decides, so knobs of either kind leave the texts as they are.

    Class attributes:
        natural_share: how often a user's general taste decides where the world's `global_share` is
            left open: what the original task is like.
    """

    task: ClassVar[LaMPTask]
    taste: type[T]
    natural_share: ClassVar[float]

    @abstractmethod
    def draw(self, rng: random.Random, topic: str) -> C:
        """A content on a topic, of anybody."""

    def draw_for(self, rng: random.Random, topic: str, taste: T, elsewhere: Sequence[T]) -> C:  # noqa: ARG002
        """A content as it comes to a user: anybody's, but for LaMP-1, whose authors choose it.

        Args:
            taste: the user's on this topic.
            elsewhere: the same user's on other topics.
        """
        return self.draw(rng, topic)

    @abstractmethod
    def text(self, content: C) -> str:
        """The content in words, as the query gives them; no two in a world are equal."""

    def input(self, content: C) -> str:
        """The official prompt."""
        return f"{self.task.instruction} {self.text(content)}"

    @abstractmethod
    def answer(self, content: C, taste: T) -> str:
        """What a user of this taste answers: the oracle."""

    @abstractmethod
    def slip(self, rng: random.Random, content: C, taste: T) -> str:
        """What such a user answers where noise strikes."""

    @abstractmethod
    def item(self, content: C, answer: str) -> dict[str, Any]:
        """The profile item that remains of a content answered, without id and date."""

    @abstractmethod
    def user_blind(self, content: C) -> str:
        """The answer of the highest expected primary metric over the population of tastes."""

    @abstractmethod
    def guess(self, rng: random.Random, content: C) -> str:
        """A random label of the task; in generation, the answer of a uniformly drawn taste."""

    @abstractmethod
    def stated(self, rng: random.Random, content: C, taste: T) -> str:
        """What of the taste decides on this content, in words."""

    def hinted(self, rng: random.Random, content: C, taste: T) -> str:
        """The same in words that don't hold the answer itself. Default: as `stated`."""
        return self.stated(rng, content, taste)

    def brief(self, content: C, answer: str) -> str:  # noqa: ARG002
        """What of a history item tells the taste. Default: the answer."""
        return answer

    def clear(self, content: C) -> bool:  # noqa: ARG002
        """Whether one part of the taste alone decides on the content. Default: yes."""
        return True


def sentences(rng: random.Random, phrases: list[str]) -> str:
    """Phrases in random order, each ended by a full stop of its own."""
    return " ".join(f"{phrase} ." for phrase in rng.sample(phrases, len(phrases)))
