"""The pool's oracle: the member that the gold shows to be best for each example (RSPG, Table 5)."""

from collections.abc import Sequence

from methods.pool.method import PoolMethod, note_member
from tasks.common.errors import DataError
from tasks.example import Example, Prediction


class PoolOracle(PoolMethod):
    """The best answer of the pool for each example, which a perfect selector would choose.

    It reads the golds that it is scored on, so it is a bound, not a method. Among equally good
    answers, the first in the pool's order is taken. Part of its score is luck: the best of several
    answers beats each of them even if none of them uses the user's history.
    `pool-oracle@shuffled-user` measures that part.
    """

    name = "pool-oracle"
    sees_golds = True
    bound = True

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        golds = [self._gold(example) for example in examples]
        answers = self.pool.answers(examples)
        found = []
        for row, values in zip(answers, self.pool.utilities(answers, golds), strict=True):
            best = values.index(max(values))
            found.append(note_member(row[best], self.pool.members[best].name))
        return found

    def _gold(self, example: Example) -> str:
        try:
            return self.runtime.golds[example.id]
        except KeyError as error:
            raise DataError(
                f"{self.name} needs golds, and the evaluated set has none",
                id=example.id,
                hint=f"Leave {self.name} out, or evaluate on a set with golds",
            ) from error
