"""Checks for targets that stand where a method can read them: in the query, or in its profile."""

from collections.abc import Iterator, Mapping

from tasks.common.numbering import count
from tasks.data.finding import Finding, Severity
from tasks.data.near_duplicates import normalize_text
from tasks.example import Dataset, Example
from tasks.task import Kind, Task

MUCH = 0.5
"""Share of the queries from which golds in texts are a warning: fewer may stand there by chance."""
MOST = 0.8
"""Share of the queries from which labels in them are a warning: a label is a common word."""
LONG = 3
"""Words of a gold that isn't found within the profile's texts by chance."""


def check_targets(task: Task, dataset: Dataset) -> Iterator[Finding]:
    """Findings about golds, or texts that are asked about, which are given away."""
    golds = {id: task.gold_text(gold) for id, gold in (dataset.golds or {}).items()}
    generates = task.kind is Kind.GENERATION
    in_query = _find_golds_in_queries(dataset, golds)
    if not generates:
        in_query = _keep_only_labels(task, dataset, golds, in_query)
    in_text = [
        item.id for item in dataset.examples if generates and _text_holds(item, golds.get(item.id))
    ]
    checks: list[tuple[Severity, str, str, list[str]]] = [
        (
            "warning",
            "target-in-profile",
            "the profile contains the text that the query asks about",
            _find_targets(task, dataset, golds),
        ),
        (
            _weigh(in_query, dataset),
            "gold-in-query",
            "the query's own text contains the gold",
            in_query,
        ),
        (
            _weigh(in_text, dataset),
            "gold-in-profile-text",
            "a text of the profile contains the gold",
            in_text,
        ),
        (
            "info",
            "gold-in-profile",
            "the gold appears verbatim as an answer in the profile",
            [item.id for item in dataset.examples if _holds_gold(task, item, golds.get(item.id))],
        ),
    ]
    for severity, kind, what, ids in checks:
        if ids:
            message = f"{what} ({len(ids)} of {count(len(dataset), 'query', 'queries')})"
            yield Finding(severity, kind, dataset.set, message, tuple(ids))


def _weigh(ids: list[str], dataset: Dataset) -> Severity:
    return "warning" if len(ids) >= MUCH * len(dataset) else "info"


def _find_golds_in_queries(dataset: Dataset, golds: Mapping[str, str]) -> list[str]:
    return [
        example.id
        for example in dataset.examples
        if (words := _pad(golds.get(example.id, ""))).strip() and words in _pad(example.query)
    ]


def _keep_only_labels(
    task: Task, dataset: Dataset, golds: Mapping[str, str], found: list[str]
) -> list[str]:
    """The queries that hold no label but their own, where those are nearly all."""
    if len(found) < MOST * len(dataset):
        return []
    labels = {label: _pad(label) for label in (*task.labels, *golds.values())}
    texts = {example.id: _pad(example.query) for example in dataset.examples}
    kept = [
        id
        for id in found
        if not any(
            words.strip() and words in texts[id]
            for label, words in labels.items()
            if label != golds[id]
        )
    ]
    return kept if len(labels) > 1 and len(kept) >= MOST * len(dataset) else []


def _pad(text: str) -> str:
    """The words of a text with a space around each."""
    return f" {normalize_text(text)} "


def _text_holds(example: Example, gold: str | None) -> bool:
    """Whether a text of the profile holds a gold within other words, as it is written."""
    gold = (gold or "").strip()
    if len(gold.split()) < LONG:
        return False
    return any(gold in item.content and len(item.content) > len(gold) for item in example.history)


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
