"""Simulates a user: one act after another."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from tasks.data.near_duplicates import normalize_text
from tasks.mini.chance import happens, stream
from tasks.mini.grammar import TaskGrammar
from tasks.mini.taste import User


class Side(IntEnum):
    """Where a text may occur; its hash assigns every text to exactly one side."""

    WORLD = 0
    PRETRAINING = 1

    def owns(self, text: str) -> bool:
        """Whether the last bit of the SHA-256 of the normalized text equals this side's value."""
        return hashlib.sha256(normalize_text(text).encode()).digest()[-1] % 2 == self


@dataclass(frozen=True)
class Act:
    """A content and the user's answer to it.

    Attributes:
        topic: of the content.
        content: as drawn by the task's grammar.
        taste: the taste that applies.
        oracle: the answer that the taste implies.
        answer: the answer given; differs from `oracle` only by noise.
    """

    topic: str
    content: Any
    taste: Any
    oracle: str
    answer: str


class Life:
    """The sequence of one user's acts, determined by `axes`.

    Args:
        axes: seed of the user's random streams.
        noise: the probability that an answer is noisy.
        side: the side that all texts belong to.
        taken: normalized texts that are already in use; grows.
    """

    def __init__(
        self,
        grammar: TaskGrammar[Any, Any],
        user: User[Any],
        axes: tuple[object, ...],
        *,
        noise: float,
        side: Side,
        taken: set[str],
    ) -> None:
        self.grammar, self.user = grammar, user
        self._contents, self._slips = stream(*axes, "contents"), stream(*axes, "slips")
        self._noise, self._side, self._taken = noise, side, taken
        self._acts = 0

    def act(self, topic: str | None = None) -> Act:
        """The user's next act, on `topic` or, if None, on one of the user's own topics."""
        topic = topic or self._contents.choice(self.user.topics)
        taste = self.user.taste(topic, self._acts)
        content = self._draw_content(topic, taste)
        self._acts += 1
        oracle = self.grammar.answer(content, taste)
        slips = happens(self._slips, self._noise)
        answer = self.grammar.slip(self._slips, content, taste) if slips else oracle
        return Act(topic, content, taste, oracle, answer)

    def _draw_content(self, topic: str, taste: Any) -> Any:
        elsewhere = [self.user.taste(t, self._acts) for t in self.user.topics if t != topic]
        while True:
            content = self.grammar.draw_for(self._contents, topic, taste, elsewhere)
            text = self.grammar.text(content)
            if self._side.owns(text) and (words := normalize_text(text)) not in self._taken:
                self._taken.add(words)
                return content
