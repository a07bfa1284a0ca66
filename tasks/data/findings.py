"""Checks of one set, and across sets, for whatever could make scores on them misleading."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from tasks.common.numbering import count
from tasks.data.finding import Finding, Severity
from tasks.data.layout import SplitName
from tasks.data.near_duplicates import find_equal, find_near_duplicates
from tasks.data.target_checks import check_targets
from tasks.data.text_checks import check_texts
from tasks.data.time_checks import check_times
from tasks.example import Behavior, Dataset, Example
from tasks.task import Task

__all__ = ["Finding", "Severity", "check_across_sets", "check_set"]


def check_set(
    task: Task,
    dataset: Dataset,
    known_faults: Mapping[str, str],
    split: SplitName = "time",
) -> Iterator[Finding]:
    """Findings within one set.

    Args:
        known_faults: example id → what is wrong with the official row.
        split: what the order of undated histories means depends on it.
    """
    checks: list[tuple[Severity, str, str, list[str]]] = [
        (
            "warning",
            "known-fault",
            "the official row is corrupt: " + "; ".join(known_faults.values()),
            [item.id for item in dataset.examples if item.id in known_faults],
        ),
        (
            "warning",
            "unknown-label-in-profile",
            "an answer in the profile is not a label of the task",
            [item.id for item in dataset.examples if _holds_unknown_label(task, item)],
        ),
        (
            "info",
            "duplicate-profile-ids",
            "ids repeat within the profile (read as id#2, …)",
            [item.id for item in dataset.examples if _repeats_ids(item)],
        ),
        (
            "info",
            "empty-history",
            "the profile is empty",
            [item.id for item in dataset.examples if not item.history],
        ),
    ]
    for severity, kind, what, ids in checks:
        if ids:
            message = f"{what} ({len(ids)} of {count(len(dataset), 'query', 'queries')})"
            yield Finding(severity, kind, dataset.set, message, tuple(ids))
    yield from check_targets(task, dataset)
    yield from check_times(dataset, split)
    yield from check_texts(task, dataset)


def check_across_sets(
    datasets: Mapping[str, Dataset], *, users_may_recur: bool
) -> Iterator[Finding]:
    """Findings across all sets: duplicate and near-duplicate queries, and shared users.

    A duplicate within a set is an "info", one across sets a "warning", because a model is then
    evaluated on what it was trained on.

    Args:
        users_may_recur: whether sets may share users, as in the time split.
    """
    queries = [(set, example) for set, dataset in datasets.items() for example in dataset.examples]
    texts = [_query_text(example) for _, example in queries]
    for kind, what, found in (
        (
            "duplicate-queries",
            "queries that are equal up to punctuation and case",
            find_equal(texts),
        ),
        (
            "near-duplicate-queries",
            "queries whose word sets have a Jaccard similarity of at least .9",
            find_near_duplicates(texts),
        ),
    ):
        pairs: dict[str, list[str]] = {}
        for first, second in found:
            (set, one), (other_set, other) = queries[first], queries[second]
            place = set if set == other_set else f"{set}+{other_set}"
            pairs.setdefault(place, []).append(f"{one.id} ~ {other.id}")
        for place, ids in pairs.items():
            severity: Severity = "warning" if "+" in place else "info"
            yield Finding(severity, kind, place, f"{what} ({count(len(ids), 'pair')})", tuple(ids))
    for set, other_set in combinations(datasets, 2):
        users = [dict.fromkeys(_named_users(datasets[name])) for name in (set, other_set)]
        shared = tuple(user for user in users[0] if user in users[1])
        if shared:
            appear = count(len(shared), "user appears", "users appear")
            message = f"{appear} in both sets"
            severity = "info" if users_may_recur else "warning"
            yield Finding(severity, "shared-users", f"{set}+{other_set}", message, shared)


def _query_text(example: Example) -> str:
    if example.subject == example.query:
        return example.query
    return f"{example.subject} {example.query}"


def _named_users(dataset: Dataset) -> Iterator[str]:
    """The users that the file names, not those that examples without a name are given."""
    return (example.user_id for example in dataset.examples if example.user_id != example.id)


def _holds_unknown_label(task: Task, example: Example) -> bool:
    return bool(task.labels) and any(
        behavior.response is not None and behavior.response not in task.labels
        for behavior in example.history
    )


def _repeats_ids(example: Example) -> bool:
    ids = {behavior.id for behavior in example.history}
    return any(_renamed(behavior, ids) for behavior in example.history)


def _renamed(behavior: Behavior, ids: set[str]) -> bool:
    base, mark, number = behavior.id.rpartition("#")
    return bool(mark) and number.isdecimal() and base in ids
