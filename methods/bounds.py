"""The bounds of a generated world (LaMP-mini): oracle, user-blind and random answers."""

from collections.abc import Sequence
from typing import ClassVar

from methods.core.method import Method, MethodConfig
from tasks.common.errors import DataError
from tasks.example import Example, Prediction


class Bound(Method):
    """Answers with one of the world's known bounds.

    Attributes:
        kind: the key of the bound in `Runtime.bounds`.
    """

    uses_llm = False
    seeded = False
    bound = True
    kind: ClassVar[str]

    @classmethod
    def is_personal(cls, config: MethodConfig) -> bool:  # noqa: ARG003
        return False

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return [Prediction(example.id, self._answer(example)) for example in examples]

    def _answer(self, example: Example) -> str:
        try:
            return self.runtime.bounds[self.kind][example.id]
        except KeyError as error:
            raise DataError(
                f"the data has no {self.kind} answer",
                id=example.id,
                hint=f"Leave {self.name} out; only generated worlds know their bounds",
            ) from error


class Oracle(Bound):
    """The answer by the user's preferences without noise; known only for generated worlds."""

    name = "oracle"
    kind = "oracle"


class UserBlind(Bound):
    """The best answer without knowing the user; known only for generated worlds."""

    name = "user-blind"
    kind = "user-blind"


class RandomAnswer(Bound):
    """A random valid answer; known only for generated worlds."""

    name = "random-answer"
    kind = "random"
