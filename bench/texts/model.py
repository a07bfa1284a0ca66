"""What an analysis of generated texts holds: a value for each row and measure."""

from dataclasses import dataclass

from bench.statistics import Comparison, Interval
from bench.tables.model import RowKey

GOLD, OTHER_GOLD = "gold", "another user's gold"
"""Rows of human texts, beside the methods'."""


@dataclass(frozen=True)
class TextScore:
    """One measure of one row's texts.

    Attributes:
        place: the task, with the name of the data source where the suite has several.
        row: method, LLM, encoder and budget; GOLD and OTHER_GOLD stand for human texts.
        measure: its name, a column of the table.
        interval: the value, averaged over seeds, with its interval over users and seeds.
        by_seed: the value of each seed.
        n, users: texts of one seed, and the users whose they are.
        n_failed: failed answers among them, summed over seeds.
        against: what the value is compared with, such as "another user's history".
        comparison: value − that, paired by user; p is corrected for the rows of the place.
    """

    place: str
    row: RowKey
    measure: str
    interval: Interval
    by_seed: tuple[float, ...]
    n: int
    users: int
    n_failed: int
    against: str = ""
    comparison: Comparison | None = None


@dataclass(frozen=True)
class TextTable:
    """An analysis of a suite's generated texts.

    Attributes:
        suite: its name.
        title: what the analysis is about.
        scores: place by place, row by row.
        notes: what each measure is and where it comes from.
    """

    suite: str
    title: str
    scores: tuple[TextScore, ...]
    notes: tuple[str, ...]
