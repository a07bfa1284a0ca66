"""What in a set, or between sets, could mislead whoever reads scores on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from tasks.data.near_duplicates import equal_texts, near_duplicates, normalized
from tasks.example import Behavior, Dataset, Example
from tasks.task import Kind, Task

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """Something a reader of results should know.

    Attributes:
        severity: "error": the set can't be used; "warning": scores on it may mislead; "info".
        kind: a stable name, e.g. "target-in-profile".
        set: the set it is in; "train+dev" where it is between two; "" where it is of no set.
        message: what it is, with the count.
        ids: the example ids concerned, in file order; pairs as "a ~ b".
    """

    severity: Severity
    kind: str
    set: str
    message: str
    ids: tuple[str, ...] = ()


def of_set(task: Task, split: Dataset, known_faults: Mapping[str, str]) -> Iterator[Finding]:
    """The findings within one set."""
    golds = split.golds or {}
    checks: list[tuple[Severity, str, str, list[str]]] = [
        (
            "warning",
            "known-fault",
            "the official row is corrupt: " + "; ".join(known_faults.values()),
            [item.id for item in split.examples if item.id in known_faults],
        ),
        (
            "warning",
            "target-in-profile",
            "the query's own source stands in its profile",
            [item.id for item in split.examples if _holds_target(task, item, golds.get(item.id))],
        ),
        (
            "info",
            "gold-in-profile",
            "the gold is word for word an answer in the profile",
            [item.id for item in split.examples if _holds_gold(task, item, golds.get(item.id))],
        ),
        (
            "warning",
            "unknown-label-in-profile",
            "a profile item's answer is no label of the task",
            [item.id for item in split.examples if _holds_unknown_label(task, item)],
        ),
        (
            "warning",
            "date-after-query",
            "a profile item is later than the query",
            [item.id for item in split.examples if _holds_later_item(item)],
        ),
        (
            "info",
            "history-not-in-time-order",
            "the profile's dates are not in order, so its order is not recency",
            [item.id for item in split.examples if _is_out_of_order(item)],
        ),
        (
            "warning",
            "empty-text-in-profile",
            "a profile item has no words",
            [i.id for i in split.examples if any(not b.text.strip() for b in i.history)],
        ),
        (
            "info",
            "duplicate-profile-ids",
            "ids repeat within the profile (read as id#2, …)",
            [item.id for item in split.examples if _repeats_ids(item)],
        ),
        (
            "info",
            "empty-history",
            "the profile is empty",
            [item.id for item in split.examples if not item.history],
        ),
    ]
    for severity, kind, what, ids in checks:
        if ids:
            message = f"{what} ({len(ids)} of {len(split)} queries)"
            yield Finding(severity, kind, split.set, message, tuple(ids))


def between(splits: Mapping[str, Dataset], *, users_may_recur: bool) -> Iterator[Finding]:
    """Findings over all sets: duplicate and near-duplicate queries, and shared users.

    A duplicate within a set is an "info", one between sets a "warning": what is asked was trained
    on. `users_may_recur`: true of the time split.
    """
    asked = [(set, example) for set, split in splits.items() for example in split.examples]
    texts = [_asked(example) for _, example in asked]
    for kind, what, found in (
        ("duplicate-queries", "the same query, punctuation and case aside", equal_texts(texts)),
        (
            "near-duplicate-queries",
            "queries with word sets of Jaccard ≥ .9",
            near_duplicates(texts),
        ),
    ):
        pairs: dict[str, list[str]] = {}
        for first, second in found:
            (set, one), (other_set, other) = asked[first], asked[second]
            place = set if set == other_set else f"{set}+{other_set}"
            pairs.setdefault(place, []).append(f"{one.id} ~ {other.id}")
        for place, ids in pairs.items():
            severity: Severity = "warning" if "+" in place else "info"
            yield Finding(severity, kind, place, f"{what} ({len(ids)} pairs)", tuple(ids))
    for set, other_set in combinations(splits, 2):
        users = [dict.fromkeys(_named_users(splits[name])) for name in (set, other_set)]
        shared = tuple(user for user in users[0] if user in users[1])
        if shared:
            message = f"{len(shared)} users are in both sets"
            severity = "info" if users_may_recur else "warning"
            yield Finding(severity, "shared-users", f"{set}+{other_set}", message, shared)


def _asked(example: Example) -> str:
    if example.subject == example.query:
        return example.query
    return f"{example.subject} {example.query}"


def _named_users(split: Dataset) -> Iterator[str]:
    """Users that the file names; an example without one is its own user, of no other set."""
    return (example.user_id for example in split.examples if example.user_id != example.id)


def _holds_target(task: Task, example: Example, gold: str | None) -> bool:
    targets = {normalized(example.subject)}
    if gold is not None and task.kind is Kind.GENERATION:
        targets.add(normalized(gold))
    targets.discard("")
    return any(normalized(behavior.content) in targets for behavior in example.history)


def _holds_gold(task: Task, example: Example, gold: str | None) -> bool:
    if gold is None or task.kind is not Kind.GENERATION:
        return False
    answers = {normalized(item.response) for item in example.history if item.response is not None}
    return normalized(gold) in answers - {""}


def _holds_unknown_label(task: Task, example: Example) -> bool:
    return bool(task.labels) and any(
        behavior.response is not None and behavior.response.strip() not in task.labels
        for behavior in example.history
    )


def _holds_later_item(example: Example) -> bool:
    asked = _date(example.date)
    dates = [_date(behavior.date) for behavior in example.history]
    # A bare year is compared by its year alone.
    return asked is not None and any(
        date is not None and date[: len(asked)] > asked[: len(date)] for date in dates
    )


def _is_out_of_order(example: Example) -> bool:
    dates = [date for behavior in example.history if (date := _date(behavior.date)) is not None]
    return any(later < earlier for earlier, later in pairwise(dates))


def _date(text: str | None) -> tuple[int, ...] | None:
    """`2019-03-07` or `2019` as numbers, as LaMP's code reads it; None for no or another date."""
    parts = (text or "").strip().split("-")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else None


def _repeats_ids(example: Example) -> bool:
    ids = {behavior.id for behavior in example.history}
    return any(_renamed(behavior, ids) for behavior in example.history)


def _renamed(behavior: Behavior, ids: set[str]) -> bool:
    base, mark, number = behavior.id.rpartition("#")
    return bool(mark) and number.isdecimal() and base in ids
