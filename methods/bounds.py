"""The bounds that a generated world knows for its tasks (LaMP-mini): oracle, user-blind, random."""

from collections.abc import Sequence

from methods.core.method import Method, MethodConfig
from tasks.common.errors import DataError
from tasks.example import Example, Prediction


class Limit(Method):
    """Answers as the world says; `limit` names which of its answers."""

    uses_llm = False
    seeded = False
    bound = True
    limit: str

    @classmethod
    def is_personal(cls, config: MethodConfig) -> bool:  # noqa: ARG003
        return False

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return [Prediction(example.id, self._answer(example)) for example in examples]

    def _answer(self, example: Example) -> str:
        try:
            return self.runtime.bounds[self.limit][example.id]
        except KeyError as error:
            raise DataError(
                f"the data says no {self.limit} answer",
                id=example.id,
                hint=f"Leave {self.name} out: only generated worlds know their bounds",
            ) from error


class Oracle(Limit):
    """Knows the user's preferences, but not the noise: no method can be expected to do better."""

    name = "oracle"
    limit = "oracle"


class UserBlind(Limit):
    """The best answer without knowing the user: what more a method gets is personal."""

    name = "user-blind"
    limit = "user-blind"


class RandomAnswer(Limit):
    """A random valid answer."""

    name = "random-answer"
    limit = "random"
