"""The notes below a sliced table: what the parts are, and which denominators its numbers have."""

from collections.abc import Iterator, Mapping

from bench.settings import Settings
from bench.slices.curve import NO_K, K, find_curves
from bench.slices.dimensions import DIMENSIONS, Division
from bench.slices.stored import Rows
from bench.statistics import FEWEST_SEEDS, FEWEST_USERS


def write_slice_notes(
    settings: Settings, by: str, divisions: Mapping[str, Division]
) -> Iterator[str]:
    """The notes of a table by history, activity, label or seen users."""
    yield (
        f"{by}: {DIMENSIONS[by].about}. Each score is over the n queries of its part, of u users; "
        "failed and unparsed answers are among them and count as wrong. A user can be in several "
        "parts"
    )
    if by == "label":
        yield (
            "an answer that never changes is right in one part and wrong in all others: read a "
            "row of labels as a whole"
        )
    yield from _state_intervals(settings)
    for place, division in divisions.items():
        if division.refused:
            yield f"{place} is not divided by {by}: {division.refused}"
        elif division.empty:
            yield f"{place} has no query with {by} {', '.join(division.empty)}"


def write_curve_notes(settings: Settings, stored: Mapping[str, Rows]) -> Iterator[str]:
    """The notes of learning curves."""
    yield (
        f"every score is over all n queries, of u users; {NO_K}: the reference. (m shown): mean "
        "number of items in a prompt, which short histories and the prompt budget keep below k"
    )
    yield from _state_intervals(settings)
    curves = {key: ks for rows in stored.values() for key, ks in find_curves(rows).items()}
    for curve, ks in curves.items():
        yield f"{curve.method}: {', '.join(f'k {k} = {key.method}' for k, key in ks.items())}"
    single = {
        key.method: getattr(row.cell.config, K)
        for rows in stored.values()
        for key, row in rows.items()
        if isinstance(getattr(row.cell.config, K, None), int)
        and not any(key in ks.values() for ks in find_curves(rows).values())
    }
    if single:
        yield f"one k only: {', '.join(f'{name} ({k})' for name, k in single.items())}"


def _state_intervals(settings: Settings) -> Iterator[str]:
    level = settings.scoring.confidence
    yield (
        f"differences are to the reference on the same queries. *: p < {1 - level:.2g}, "
        "Holm-corrected over all rows and parts of the metric; [low, high]: "
        f"{level:.0%} interval over users and seeds, of each comparison by itself, withheld below "
        f"{FEWEST_USERS} users"
    )
    yield (
        f'"1 seed" or "2 seeds": another seed would give other scores, so nothing is claimed below '
        f"{FEWEST_SEEDS} seeds; f failed, u unparsed"
    )
