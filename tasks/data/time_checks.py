"""Checks of what orders a history: its dates, or their absence."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from tasks.common.dates import Instant, read_normalized
from tasks.common.instants import fill_instant, find_ties
from tasks.common.numbering import count
from tasks.data.finding import Finding, Severity
from tasks.data.layout import SplitName
from tasks.example import Dataset, Example

ORDERED = "recency and all else that orders by time (PAG, OPPU, time decay)"
UNDATED = {
    "user": "the profile has no dates. LaMP's user-split files have none, and their authors say "
    f"that the order is random: {ORDERED} then follow an order without meaning",
    "time": "the profile has no dates, so that its order counts as the order of time, oldest "
    f"first, as in LaMP's time-split files: {ORDERED} rely on it",
}
COUNTED = {"undated-items", "tied-dates"}
"""Kinds of findings that count users too."""


def check_times(dataset: Dataset, split: SplitName) -> Iterator[Finding]:
    """Findings about dates that are missing, or that contradict the order of the file."""
    several = [example for example in dataset.examples if len(example.history) > 1]
    dates = {example.id: [item.date is not None for item in example.history] for example in several}
    undated = [example.id for example in several if not any(dates[example.id])]
    partly = [id for id, dated in dates.items() if any(dated) and not all(dated)]
    later = [example.id for example in dataset.examples if _holds_later_item(example)]
    unordered = [example.id for example in dataset.examples if _is_out_of_order(example)]
    tied = [example.id for example in several if _is_tied(example)]
    # In LaMP's time split, the order of the file is that of time: it decides rightly.
    random = split == "user" or not set(unordered).isdisjoint(tied)
    checks: tuple[tuple[Severity, str, str, list[str]], ...] = (
        ("warning" if split == "user" else "info", "undated-histories", UNDATED[split], undated),
        (
            "warning",
            "undated-items",
            f"items without a date count as older than all others in {ORDERED}",
            partly,
        ),
        (
            "warning" if random else "info",
            "tied-dates",
            f"items share a date: {ORDERED} then follow the order of the file",
            tied,
        ),
        ("warning", "date-after-query", "a profile item is later than the query", later),
        (
            "info",
            "history-not-in-time-order",
            "the profile is not in chronological order, so its file order does not mean recency",
            unordered,
        ),
    )
    for severity, kind, what, ids in checks:
        if ids:
            users = f"{_count_users(dataset, ids)}, " if kind in COUNTED else ""
            message = f"{what} ({users}{len(ids)} of {count(len(dataset), 'query', 'queries')})"
            yield Finding(severity, kind, dataset.set, message, tuple(ids))


def _count_users(dataset: Dataset, ids: Sequence[str]) -> str:
    users = {example.id: example.user_id for example in dataset.examples}
    return f"{len({users[id] for id in ids})} of {count(len(set(users.values())), 'user')}"


def _is_tied(example: Example) -> bool:
    return bool(find_ties(_instant(behavior.date) for behavior in example.history))


def _holds_later_item(example: Example) -> bool:
    asked = _instant(example.date)
    dates = [_instant(behavior.date) for behavior in example.history]
    # Where one of the two is a bare year, only the years are compared.
    return bool(asked) and any(date[: len(asked)] > asked[: len(date)] for date in dates if date)


def _is_out_of_order(example: Example) -> bool:
    dates = [
        fill_instant(date) for behavior in example.history if (date := _instant(behavior.date))
    ]
    return any(later < earlier for earlier, later in pairwise(dates))


@lru_cache(maxsize=1 << 16)
def _instant(date: str | None) -> Instant:
    return () if date is None else read_normalized(date)
