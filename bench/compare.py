"""Whether one row is better than another: the answer in words and numbers, task by task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.grid import Grid
from bench.settings import Settings
from bench.statistics import FEWEST_SEEDS, Comparison, Outcomes, correct
from bench.tables.build import check_terms, find_row, prepare_column, read_results
from bench.tables.model import Column, RowKey
from tasks.common.errors import ConfigError


@dataclass(frozen=True)
class Pair:
    """Two rows on one task.

    Attributes:
        column: the task and its primary metric.
        ours, theirs: the rows; they share LLM, encoder and prompt budget where both use one.
        our_value, their_value: their scores, averaged over seeds.
        comparison: ours − theirs, its p corrected over the pairs that were made together.
    """

    column: Column
    ours: RowKey
    theirs: RowKey
    our_value: float
    their_value: float
    comparison: Comparison


def compare_methods(
    settings: Settings, grid: Grid, ours: str, theirs: str, *, allow_unequal: bool = False
) -> list[Pair]:
    """The two methods of a grid on each of its tasks, for each LLM, encoder and prompt budget.

    Args:
        grid: planned with `methods=[ours, theirs]`.

    Raises:
        ConfigError: the same method twice, no task on which both are done, or unequal terms.
        StorageError: a stored file is damaged.
    """
    if ours == theirs:
        raise ConfigError(f"{ours!r} is compared with itself", hint="Name two methods")
    results = read_results(settings, grid)
    check_terms(results, allow=allow_unequal)
    pairs: list[Pair] = []
    for place, task in {cell.place: cell.task for cell in grid.cells}.items():
        rows = {
            key: of_row[place]
            for key, of_row in results.items()
            if key.method in {ours, theirs} and place in of_row and of_row[place].scores
        }
        if len({key.method for key in rows}) < 2:
            continue
        metric = task.metrics[0]
        comparing = prepare_column(place, metric, task, rows, settings.scoring)
        column = Column(place, metric, comparing.higher_is_better, comparing.n)
        for key in rows:
            other = find_row(rows, theirs, key) if key.method == ours else None
            found = comparing.compare(key, other)
            if other is not None and found is not None:
                values = comparing.values[key], comparing.values[other]
                pairs.append(Pair(column, key, other, *values, found))
    if not pairs:
        raise ConfigError(
            f"suite {grid.suite!r} has no task on which both {ours!r} and {theirs!r} are done",
            hint=f"Run `bench run {grid.suite} -m {ours} -m {theirs}` with the same --set",
        )
    corrected = correct([pair.comparison for pair in pairs])
    return [
        Pair(p.column, p.ours, p.theirs, p.our_value, p.their_value, comparison)
        for p, comparison in zip(pairs, corrected, strict=True)
    ]


def describe_pairs(pairs: Sequence[Pair]) -> str:
    """A paragraph for each pair, and below them what holds for all."""
    paragraphs = ["\n".join(_describe(pair, pairs)) for pair in pairs]
    level = pairs[0].comparison.confidence
    closing = [f"{level:.0%} intervals over users and training seeds; power 80%, α {1 - level:.2g}"]
    if len([pair for pair in pairs if pair.comparison.p is not None]) > 1:
        closing.append("p is Holm-corrected over these comparisons")
    return "\n\n".join([*paragraphs, "; ".join(closing)])


def _describe(pair: Pair, pairs: Sequence[Pair]) -> Iterator[str]:
    found, column = pair.comparison, pair.column
    arrow = "↑" if column.higher_is_better else "↓"
    users = f"{column.n} queries of {_count(found.n_users, 'user')}" if found.n_users else (
        f"{column.n} queries"
    )  # fmt: skip
    yield f"{column.task}{_name_models(pair, pairs)}, {column.metric} {arrow}, {users}"
    ours, theirs = pair.ours.method, pair.theirs.method
    yield f"  {ours} {pair.our_value:.3f}, {theirs} {pair.their_value:.3f}"
    yield f"  {_state_verdict(ours, theirs, found)}"
    yield f"  difference {_format_difference(found)}"
    if found.by_user is not None:
        yield f"  users: {_format_outcomes(ours, found.by_user)}"
    if found.by_seed is not None and found.n_seeds > 1:
        yield f"  seeds: {_format_outcomes(ours, found.by_seed)}"
    yield from (f"  {line}" for line in _state_sample(found))


def _name_models(pair: Pair, pairs: Sequence[Pair]) -> str:
    """LLM, encoder and budget of the first row, where the pairs have several of them."""
    names = ("llm", "encoder", "budget")
    several = [name for name in names if len({getattr(other.ours, name) for other in pairs}) > 1]
    return "".join(f", {value}" for name in several if (value := getattr(pair.ours, name)))


def _state_verdict(ours: str, theirs: str, found: Comparison) -> str:
    if found.verdict != "unclear":
        return f"{ours} is {found.verdict} than {theirs}"
    if found.unproven:
        return (
            f"nothing is claimed: {found.unproven}, of {FEWEST_SEEDS} needed, since another seed "
            "would give another difference"
        )
    if found.p is None:
        return f"nothing can be tested: {found.withheld}"
    return f"{ours} is statistically indistinguishable from {theirs}"


def _format_difference(found: Comparison) -> str:
    text = f"{found.difference:+.3f}"
    if found.low is not None and found.high is not None:
        text += f" [{found.low:+.3f}, {found.high:+.3f}]"
    elif found.withheld:
        text += f" (no interval: {found.withheld})"
    if found.relative is not None:
        text += f", a gain of {found.relative:+.1f}%"
    if found.p_adjusted is not None:
        text += f", p {_format_p(found.p_adjusted)}"
    return text


def _format_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _format_outcomes(ours: str, found: Outcomes) -> str:
    return f"{ours} is better for {found.wins}, equal for {found.ties}, worse for {found.losses}"


def _state_sample(found: Comparison) -> Iterator[str]:
    """What this sample would have found, and which one a difference of this size needs."""
    if found.detectable is None:
        return
    yield f"this sample finds a difference of {found.detectable:.3f} or more with 80% power"
    needed = []
    if found.users_needed is not None:
        seeds = " with as many seeds" * (found.n_seeds > 1)
        needed.append(f"{_count(found.users_needed, 'user')}{seeds}")
    if found.seeds_needed is not None:
        needed.append(f"{_count(found.seeds_needed, 'seed')} with as many users")
    if needed:
        yield f"a true difference of {abs(found.difference):.3f} needs {', or '.join(needed)}"
    elif found.difference == 0:
        yield "a true difference of 0 is found by no sample"
    else:
        yield f"a true difference of {abs(found.difference):.3f} needs more users and more seeds"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'s' * (n != 1)}"
