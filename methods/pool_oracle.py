"""The pool's oracle: for each example the member that the gold says is best."""

from collections.abc import Sequence

from methods.pool.method import PoolMethod, note_member
from tasks.common.errors import DataError
from tasks.example import Example, Prediction


class PoolOracle(PoolMethod):
    """The best answer of the pool for each example: what a perfect selector would get.

    It looks at the golds that it is scored on: a bound, no method. Of equally good answers, the
    first in the pool's order is taken. It is an upper bound also of what luck gives: the best of
    several answers that know nothing of the user beats each of them. `pool-oracle@shuffled-user`
    tells how much of it that is. RSPG, Table 5.
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
                f"{self.name} needs the gold, and the evaluated set has none",
                id=example.id,
                hint=f"Leave {self.name} out, or evaluate on a set with outputs",
            ) from error
