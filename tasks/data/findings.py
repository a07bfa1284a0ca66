"""Checks of one set, and across sets, for whatever could make scores on them misleading."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from tasks.data.finding import Finding, Severity
from tasks.data.layout import SplitName
from tasks.data.near_duplicates import find_equal, find_near_duplicates, normalize_text
from tasks.data.text_checks import check_texts
from tasks.data.time_checks import check_times
from tasks.example import Behavior, Dataset, Example
from tasks.task import Kind, Task

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
    golds = dataset.golds or {}
    checks: list[tuple[Severity, str, str, list[str]]] = [
        (
            "warning",
            "known-fault",
            "the official row is corrupt: " + "; ".join(known_faults.values()),
            [item.id for item in dataset.examples if item.id in known_faults],
        ),
        (
            "warning",
            "target-in-profile",
            "the profile contains the text that the query asks about",
            _find_targets(task, dataset, golds),
        ),
        (
            "info",
            "gold-in-profile",
            "the gold appears verbatim as an answer in the profile",
            [item.id for item in dataset.examples if _holds_gold(task, item, golds.get(item.id))],
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
            message = f"{what} ({len(ids)} of {len(dataset)} queries)"
            yield Finding(severity, kind, dataset.set, message, tuple(ids))
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
            yield Finding(severity, kind, place, f"{what} ({len(ids)} pairs)", tuple(ids))
    for set, other_set in combinations(datasets, 2):
        users = [dict.fromkeys(_named_users(datasets[name])) for name in (set, other_set)]
        shared = tuple(user for user in users[0] if user in users[1])
        if shared:
            message = f"{len(shared)} users appear in both sets"
            severity = "info" if users_may_recur else "warning"
            yield Finding(severity, "shared-users", f"{set}+{other_set}", message, shared)


def _query_text(example: Example) -> str:
    if example.subject == example.query:
        return example.query
    return f"{example.subject} {example.query}"


def _named_users(dataset: Dataset) -> Iterator[str]:
    """The users that the file names, not those that examples without a name are given."""
    return (example.user_id for example in dataset.examples if example.user_id != example.id)


def _find_targets(task: Task, dataset: Dataset, golds: Mapping[str, str]) -> list[str]:
    """Ids of the examples whose profile holds the text that the query asks about."""
    targets = {item.id: _list_targets(task, item, golds.get(item.id)) for item in dataset.examples}
    wanted = frozenset[str]().union(*targets.values())
    contents = {behavior.content for item in dataset.examples for behavior in item.history}
    # Few contents are targets, so that the normalized texts of all others needn't be kept.
    found = {
        text: words for text in contents if (words := normalize_text(text)) and words in wanted
    }
    return [
        item.id
        for item in dataset.examples
        if any(found.get(behavior.content) in targets[item.id] for behavior in item.history)
    ]


def _list_targets(task: Task, example: Example, gold: str | None) -> frozenset[str]:
    targets = {normalize_text(example.subject)}
    if gold is not None and task.kind is Kind.GENERATION:
        targets.add(normalize_text(gold))
    return frozenset(targets - {""})


def _holds_gold(task: Task, example: Example, gold: str | None) -> bool:
    if gold is None or task.kind is not Kind.GENERATION:
        return False
    answers = {
        normalize_text(item.response) for item in example.history if item.response is not None
    }
    return normalize_text(gold) in answers - {""}


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
