"""Checks of what orders a history: its dates, or their absence."""

from collections.abc import Iterator
from itertools import pairwise

from tasks.common.dates import Instant, read_normalized
from tasks.data.finding import Finding
from tasks.data.layout import SplitName
from tasks.example import Dataset, Example

ORDERED = "recency and all else that orders by time (PAG, OPPU, time decay)"
UNDATED = {
    "user": "the profile has no dates. LaMP's user-split files have none, and their authors say "
    f"that the order is random: {ORDERED} then follow an order without meaning",
    "time": "the profile has no dates, so that its order counts as the order of time, oldest "
    f"first, as in LaMP's time-split files: {ORDERED} rely on it",
}


def check_times(dataset: Dataset, split: SplitName) -> Iterator[Finding]:
    """Findings about dates that are missing, or that contradict the order of the file."""
    several = [example for example in dataset.examples if len(example.history) > 1]
    dates = {example.id: [item.date is not None for item in example.history] for example in several}
    undated = [example.id for example in several if not any(dates[example.id])]
    partly = [id for id, dated in dates.items() if any(dated) and not all(dated)]
    later = [example.id for example in dataset.examples if _holds_later_item(example)]
    unordered = [example.id for example in dataset.examples if _is_out_of_order(example)]
    for severity, kind, what, ids in (
        ("warning" if split == "user" else "info", "undated-histories", UNDATED[split], undated),
        ("warning", "undated-items", "items without a date count as older than all others", partly),
        ("warning", "date-after-query", "a profile item is later than the query", later),
        (
            "info",
            "history-not-in-time-order",
            "the profile is not in chronological order, so its file order does not mean recency",
            unordered,
        ),
    ):
        if ids:
            message = f"{what} ({len(ids)} of {len(dataset)} queries)"
            yield Finding(severity, kind, dataset.set, message, tuple(ids))  # type: ignore[arg-type]


def _holds_later_item(example: Example) -> bool:
    asked = _instant(example.date)
    dates = [_instant(behavior.date) for behavior in example.history]
    # Where one of the two is a bare year, only the years are compared.
    return bool(asked) and any(date[: len(asked)] > asked[: len(date)] for date in dates if date)


def _is_out_of_order(example: Example) -> bool:
    dates = [date for behavior in example.history if (date := _instant(behavior.date))]
    return any(later < earlier for earlier, later in pairwise(dates))


def _instant(date: str | None) -> Instant:
    return () if date is None else read_normalized(date)
