"""What a user does, act after act."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from tasks.data.near_duplicates import normalize_text
from tasks.mini.chance import happens, stream
from tasks.mini.grammar import Grammar
from tasks.mini.taste import User


class Side(IntEnum):
    """Who may write a text. Every text belongs to one side, by its own hash."""

    WORLD = 0
    PRETRAINING = 1

    def owns(self, text: str) -> bool:
        """The last bit of the SHA-256 of the text, case and punctuation aside, is this side's."""
        return hashlib.sha256(normalize_text(text).encode()).digest()[-1] % 2 == self


@dataclass(frozen=True)
class Act:
    """One content and what the user made of it.

    Attributes:
        oracle: what the user's taste says; `answer` differs from it by noise alone.
    """

    topic: str
    content: Any
    taste: Any
    oracle: str
    answer: str


class Life:
    """Acts of one user, given by `axes` alone.

    Args:
        noise: the chance that an answer is a slip.
        side: whose texts the contents are.
        taken: texts that are in use, normalize_text; grows.
    """

    def __init__(
        self,
        grammar: Grammar[Any, Any],
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
        """The user's next act; None: on one of the user's own topics."""
        topic = topic or self._contents.choice(self.user.topics)
        taste = self.user.taste(topic, self._acts)
        content = self._content(topic, taste)
        self._acts += 1
        oracle = self.grammar.answer(content, taste)
        slips = happens(self._slips, self._noise)
        answer = self.grammar.slip(self._slips, content, taste) if slips else oracle
        return Act(topic, content, taste, oracle, answer)

    def _content(self, topic: str, taste: Any) -> Any:
        elsewhere = [self.user.taste(t, self._acts) for t in self.user.topics if t != topic]
        while True:
            content = self.grammar.draw_for(self._contents, topic, taste, elsewhere)
            text = self.grammar.text(content)
            if self._side.owns(text) and (words := normalize_text(text)) not in self._taken:
                self._taken.add(words)
                return content
