"""The legend of a table: what its marks say of this table, and what it could have found."""

from collections.abc import Iterator, Sequence
from statistics import median

from bench.settings import Settings, Suite
from bench.statistics import FEWEST_SEEDS, NO_VALUES
from bench.tables.model import Column, Row

BOLD = "bold: "
"""Begins the note that outputs without bold leave out."""
ELSEWHERE = {"accuracy": 0.23, "mae": 0.09, "rouge1": 0.04}
"""Metric → largest span of a trained row's three seeds on LaMP-mini, in results/reference."""


def explain_marks(
    settings: Settings, suite: Suite, columns: Sequence[Column], rows: Sequence[Row]
) -> Iterator[str]:
    """One short note for each mark that the table has."""
    entries = [entry for row in rows for entry in row.entries.values()]
    level = settings.scoring.confidence
    within = "" if len(suite.budgets) == 1 else " within one prompt budget"
    yield (
        f"{BOLD}not separable from the best of its column{within} (paired tests, Holm-corrected; "
        "bounds and controls don't compete)"
    )
    yield (
        f"*: differs from {suite.reference} (p < {1 - level:.2g}, Holm-corrected over the rows of "
        "its column)"
    )
    yield f"[low, high]: {level:.0%} interval over users and seeds, of each comparison by itself"
    if any(not column.higher_is_better for column in columns):
        yield "↓: lower is better, so a negative difference is a gain"
    if any(entry.n_failed or entry.n_unparsed for entry in entries):
        yield "f failed, u unparsed: both count as wrong"
    yield from _explain_seeds(columns, rows)
    yield from _explain_withheld(columns, rows)
    yield from _state_detectable(columns, rows)


def _explain_seeds(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """What a row with too few seeds doesn't show, and what seeds moved elsewhere."""
    found = [(column, row.entries[column]) for row in rows for column in row.entries]
    several = [(column, entry) for column, entry in found if entry.seeds > 1]
    if several:
        yield "scores are means over seeds; rows that no seed can change run with the first only"
    few = sorted({entry.few_seeds for _, entry in found} - {""})
    if not few:
        return
    spans: dict[str, float] = {}
    for column, entry in several:
        span = max(entry.by_seed) - min(entry.by_seed)
        spans[column.metric] = max(spans.get(column.metric, 0.0), span)
    shown = dict.fromkeys(column.metric for column in columns)
    where, known = (
        ("in this table", spans) if spans else ("of trained rows of LaMP-mini", ELSEWHERE)
    )
    moved = ", ".join(f"{known[metric]:.2f} {metric}" for metric in shown if metric in known)
    yield (
        f"{' or '.join(few)}: another seed would give other scores, so nothing is claimed of them "
        f"below {FEWEST_SEEDS} seeds"
        + (f"; seeds {where} lay up to {moved} apart" if moved else "")
    )


def _explain_withheld(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """Why there are scores without an interval."""
    reasons: dict[str, dict[str, None]] = {}
    for column in columns:
        for entry in (row.entries[column] for row in rows if column in row.entries):
            gap = entry.to_reference
            for reason in (entry.interval.withheld, gap.withheld if gap is not None else ""):
                if reason:
                    reasons.setdefault(reason, {})[column.metric] = None
    for reason, metrics in reasons.items():
        if reason == NO_VALUES:
            yield f"{', '.join(metrics)}: {reason}, so no interval and no star"
        else:
            yield f"no interval: {reason}"


def _state_detectable(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """The smallest difference to the reference that a column would have found, half of its rows."""
    parts = []
    for column in columns:
        gaps = [row.entries[column].to_reference for row in rows if column in row.entries]
        known = [gap.detectable for gap in gaps if gap is not None and gap.detectable is not None]
        if known:
            parts.append(f"{median(known):.3f} {column.metric} on {column.task}")
    if parts:
        yield f"found with 80% power (median row): a difference of {', '.join(parts)}"
