"""The table model: columns are metrics of tasks, rows are methods with their models."""

from dataclasses import dataclass
from typing import NamedTuple

from bench.grid import Cell
from bench.statistics import FEWEST_SEEDS, Comparison, Interval
from tasks.budget import Budget


class RowKey(NamedTuple):
    """What a row is: a method, its models, and its prompt budget; None what it doesn't use."""

    method: str
    llm: str | None
    encoder: str | None
    budget: Budget | None = None

    @classmethod
    def of(cls, cell: Cell) -> "RowKey":
        """The row that a cell belongs to."""
        return cls(cell.variant, cell.llm, cell.encoder, cell.budget)


@dataclass(frozen=True)
class Column:
    """One metric of one task; `n` examples were scored.

    `task` includes the name of the data source where the suite has several.
    """

    task: str
    metric: str
    higher_is_better: bool
    n: int


@dataclass(frozen=True)
class Entry:
    """One score of one row.

    Attributes:
        interval: of the score, averaged over seeds; over users and seeds.
        to_reference: comparison with the reference method; None in its own row.
        to_control: Δuser, the comparison with the same method given a shuffled user's history; None
            where the table has no such control.
        to_instruction_only: comparison with the suite's instruction-only method; None in its own
            row, and where the table has none.
        by_seed: the score of each seed, in the suite's order.
        n, n_users: examples of one seed, and the users whose they are.
        n_failed, n_unparsed: examples without an answer or with an unreadable one, summed over
            seeds.
        best: not separable from the best of its column among the rows of one prompt budget; bounds
            don't compete. Nothing is the best where nothing could be tested.
        seeded: whether another seed can change the score.
        query_read: mean share of a query's tokens that the LLM read; None without an LLM.
        queries_cut: queries of which the LLM did not read all, summed over seeds.
    """

    interval: Interval
    to_reference: Comparison | None
    to_control: Comparison | None
    to_instruction_only: Comparison | None
    by_seed: tuple[float, ...]
    n: int
    n_failed: int
    n_unparsed: int
    n_users: int = 0
    best: bool = False
    seeded: bool = False
    query_read: float | None = None
    queries_cut: int = 0

    @property
    def seeds(self) -> int:
        """How many seeds the score is the mean of."""
        return len(self.by_seed)

    @property
    def few_seeds(self) -> str:
        """Such as "1 seed", where a seed can change the score and too few were run; else empty."""
        if not self.seeded or self.seeds >= FEWEST_SEEDS:
            return ""
        return f"{self.seeds} seed{'s' * (self.seeds != 1)}"


@dataclass(frozen=True)
class RowCost:
    """What a row costs: the mean over its finished cells (methods.md §5).

    Attributes:
        trainable_shared, trainable_per_user, bytes_per_user, seconds_per_user: see `Cost`.
        fit_seconds: training shared by all users, whichever cell did it. Excludes a pool's members
            and an LLM's feedback that another method had already left in the cache.
        query_ms: milliseconds of `predict` per query, including the training of per-user parts.
            Excludes what an earlier cell left in the cache (adapters, summaries, embeddings).
        prompt_tokens: tokens the LLM reads per query, soft tokens not counted.
        query_read: share of a query's tokens that the LLM reads; None without an LLM.
    """

    trainable_shared: float
    trainable_per_user: float
    bytes_per_user: float
    seconds_per_user: float
    fit_seconds: float
    query_ms: float
    prompt_tokens: float
    query_read: float | None = None


@dataclass(frozen=True)
class Row:
    """One method with its models and prompt budget.

    Attributes:
        entries: scores by column.
        missing: task → why it has no entry, or lacks some seeds.
        cost: None where no cell is done, and for controls, which cost what their method costs.
    """

    method: str
    llm: str | None
    encoder: str | None
    entries: dict[Column, Entry]
    missing: dict[str, str]
    cost: RowCost | None = None
    budget: Budget | None = None

    @property
    def key(self) -> RowKey:
        """What the row is."""
        return RowKey(self.method, self.llm, self.encoder, self.budget)


@dataclass(frozen=True)
class Table:
    """A suite's results: rows in the suite's order, columns task by task.

    `instruction_only` names the suite's instruction-only method if the table has it.
    """

    title: str
    reference: str
    instruction_only: str | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
