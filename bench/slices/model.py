"""What a sliced table holds: parts of the evaluated queries, and a score for each row and part."""

from dataclasses import dataclass

from bench.statistics import Comparison, Interval
from bench.tables.model import RowKey


@dataclass(frozen=True)
class Part:
    """Some of a place's evaluated queries, or one k of a learning curve.

    Attributes:
        place: the task, with the name of the data source where the suite has several.
        name: of the part, such as "2–4" (items of history), "seen" or a label.
        n: queries of the part.
        users: that these queries come from. A user whose history grows from query to query can be
            in several parts by history length, so these counts need not add up.
    """

    place: str
    name: str
    n: int
    users: int


@dataclass(frozen=True)
class SliceScore:
    """One metric of one row on one part.

    Attributes:
        row: method, LLM, encoder and budget; of a learning curve, `method` stands for all its k.
        interval: the metric over the part's queries only, the mean over seeds; its interval is over
            users and seeds, and withheld below 10 users.
        comparison: with the reference on the same queries; its p is corrected for all rows and
            parts of this metric. None in the reference's own row, and where there is no reference.
        by_seed: the value of each seed.
        n_failed, n_unparsed: queries of the part without an answer or with an unreadable one,
            summed over seeds. Both count as wrong.
        behaviors: mean number of behaviours in the prompt.
    """

    row: RowKey
    part: Part
    metric: str
    higher_is_better: bool
    interval: Interval
    comparison: Comparison | None
    by_seed: tuple[float, ...]
    n_failed: int
    n_unparsed: int
    behaviors: float

    @property
    def value(self) -> float:
        """The metric, averaged over seeds."""
        return self.interval.value

    @property
    def low(self) -> float | None:
        """The lower end of its interval; None where that is withheld."""
        return self.interval.low

    @property
    def high(self) -> float | None:
        """The upper end of its interval; None where that is withheld."""
        return self.interval.high

    @property
    def withheld(self) -> str:
        """Why there is no interval; empty where there is one."""
        return self.interval.withheld

    @property
    def difference(self) -> float | None:
        """To the reference; None where there is no comparison."""
        return None if self.comparison is None else self.comparison.difference


@dataclass(frozen=True)
class SliceTable:
    """A suite's results by the parts of one dimension.

    Attributes:
        suite: its name.
        by: the dimension: a key of `DIMENSIONS`, or "k".
        reference: the method that differences are taken to.
        parts: in their natural order, place by place.
        scores: row by row, in the suite's order.
        notes: what the parts are, what each number's denominator is, and what is left out.
    """

    suite: str
    by: str
    reference: str
    parts: tuple[Part, ...]
    scores: tuple[SliceScore, ...]
    notes: tuple[str, ...]
