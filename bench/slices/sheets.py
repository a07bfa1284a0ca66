"""A sliced table as sheets, which every text format draws."""

from collections.abc import Callable
from functools import partial

from bench.render.sheets import ABSENT, Field, Sheet, label_names, make_labels
from bench.slices.curve import K
from bench.slices.model import Part, SliceScore, SliceTable
from bench.tables.model import RowKey
from bench.tables.notes import format_bounds


def make_sheets(table: SliceTable, *, intervals: bool = False) -> list[Sheet]:
    """For each task and metric, a sheet of scores and one of differences to the reference.

    Args:
        intervals: show the interval of each score, not only those of differences.
    """
    kinds = dict.fromkeys((score.part.place, score.metric) for score in table.scores)
    sheets: list[Sheet] = []
    for place, metric in kinds:
        own = {
            (score.row, score.part): score
            for score in table.scores
            if (score.part.place, score.metric) == (place, metric)
        }
        arrow = "↑" if next(iter(own.values())).higher_is_better else "↓"
        title = f"{place}: {metric} {arrow} by {table.by}"
        show_score = partial(_format_score, interval=intervals, items=table.by == K)
        sheets.append(_make_sheet(table, title, own, show_score))
        compared = {row for (row, _), score in own.items() if score.difference is not None}
        if compared:
            title = f"{title}, difference to {table.reference}, with intervals"
            differences = {(row, part): own[row, part] for row, part in own if row in compared}
            sheets.append(_make_sheet(table, title, differences, _format_difference))
    return sheets


def _make_sheet(
    table: SliceTable,
    title: str,
    scores: dict[tuple[RowKey, Part], SliceScore],
    show: Callable[[SliceScore], str],
) -> Sheet:
    """One line per row, one column per part; parts and rows without a score are left out."""
    rows = list(dict.fromkeys(row for row, _ in scores))
    present = {part for _, part in scores}
    parts = [part for part in table.parts if part in present]
    names = label_names(rows)

    def make_field(row: RowKey, part: Part) -> Field:
        score = scores.get((row, part))
        return Field(ABSENT if score is None else show(score))

    return Sheet(
        title,
        names,
        tuple((part.name, f"n={part.n} u={part.users}") for part in parts),
        tuple(
            (make_labels(names, row), tuple(make_field(row, part) for part in parts))
            for row in rows
        ),
    )


def _format_score(score: SliceScore, *, interval: bool, items: bool) -> str:
    """Value, interval, counts of what failed or wasn't readable, and the items in a prompt."""
    parts = [f"{score.value:.3f}"]
    if interval:
        parts.append(format_bounds(score.interval, ".3f"))
    counts = ((score.n_failed, "f"), (score.n_unparsed, "u"))
    parts += [f"{mark}{count}" for count, mark in counts if count]
    return " ".join([*parts, *([f"({score.behaviors:.1f} shown)"] if items else [])])


def _format_difference(score: SliceScore) -> str:
    """Difference, star, interval, and why nothing may be claimed of it."""
    gap = score.comparison
    if gap is None:
        return ABSENT
    star = "*" if gap.significant else ""
    parts = [f"{gap.difference:+.3f}{star}", format_bounds(gap, "+.3f"), gap.unproven]
    return " ".join(part for part in parts if part)
