"""Metrics that some cells were scored without, because they could not be computed there."""

from collections.abc import Iterable, Iterator, Mapping

from bench.records import CellScores


def find_withheld(scored: Iterable[CellScores]) -> set[str]:
    """The metrics that any of these cells was scored without: rows can't be compared in them."""
    return {name for scores in scored for name in scores.withheld if name not in scores.metrics}


def describe_withheld(suite: str, scored: Mapping[str, Iterable[CellScores]]) -> Iterator[str]:
    """A note for each withheld metric and reason: where, in how many cells, and how to get it.

    Args:
        scored: place → the scores of all its finished cells.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for place, cells in scored.items():
        done = list(cells)
        lacking: dict[tuple[str, str], int] = {}
        for scores in done:
            for about in scores.withheld.items():
                lacking[about] = lacking.get(about, 0) + 1
        for about, n in lacking.items():
            some = "" if n == len(done) else f" ({n} of {len(done)} cells lack it)"
            places.setdefault(about, []).append(f"{place}{some}")
    for (name, why), where in places.items():
        yield (
            f"{name} is withheld on {', '.join(where)}: {why}; then `bench score {suite}` computes "
            "it from the stored predictions"
        )
