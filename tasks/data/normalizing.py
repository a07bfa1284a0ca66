"""Brings dates and labels of loaded examples into one form, and reports what had another."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.common.dates import read_dates
from tasks.common.instants import spell
from tasks.common.labels import LabelReader
from tasks.data.finding import Finding
from tasks.example import Behavior, Example
from tasks.task import Task


@dataclass(frozen=True)
class Normalized:
    """Examples whose dates are in ISO 8601 and whose labels are spelled as the task's.

    `findings` name the examples that had other forms; dates that are read without doubt are no
    finding.
    """

    examples: tuple[Example, ...]
    findings: tuple[Finding, ...]


def normalize(
    task: Task,
    set: str,
    examples: Sequence[Example],
    behaviors: Iterable[Behavior],
    rows: Iterable[Mapping[str, Any]],
    dates: str | None = None,
) -> Normalized:
    """Normalize the examples of one set.

    Args:
        behaviors: every distinct item of the examples' histories.
        rows: the rows of the questions file, also those that a limit left out: all dates of the
            file decide together which part is the day.
        dates: see `read_dates`.
    """
    behaviors = list(behaviors)
    given = {behavior.date for behavior in behaviors} | {example.date for example in examples}
    column = read_dates([*given, *_find_dates(rows)], dates)
    texts = {date: column.text(date) for date in given}
    labels = LabelReader(task.labels) if task.labels and task.history_has_labels else None
    changed = {
        behavior: new
        for behavior in behaviors
        if (new := _normalize_item(behavior, texts, labels)) is not behavior
    }
    redated = {date: text for date, text in texts.items() if date != text}
    findings = [
        Finding(
            "warning",
            fault.kind,
            set,
            fault.message,
            tuple(_find_examples(examples, _hold_dates(frozenset(fault.values)))),
        )
        for fault in column.faults
    ]
    respelled = {old: new.response for old, new in changed.items() if old.response != new.response}
    if respelled:
        item, response = next(iter(respelled.items()))
        ids = _find_examples(examples, lambda example: any(b in respelled for b in example.history))
        findings.append(describe_spelling(set, "the profile", item.response, response, tuple(ids)))
    if changed or redated:
        examples = [_rebuild(example, changed, redated) for example in examples]
    return Normalized(tuple(examples), tuple(findings))


def describe_spelling(
    set: str, where: str, old: str | None, new: str | None, ids: tuple[str, ...]
) -> Finding:
    """The finding that labels are spelled in another way than the task's."""
    what = f"labels in {where} are spelled in other ways, e.g. {old!r}, which is read as {new!r}"
    return Finding("info", "respelled-labels", set, what, ids)


def _find_dates(rows: Iterable[Mapping[str, Any]]) -> Iterator[object]:
    """Every value of a field `date` in the rows of a questions file."""
    seen = set()
    for row in rows:
        profile = row.get("profile")
        for item in (row, *(profile if isinstance(profile, list) else ())):
            date = read_date(item) if isinstance(item, dict) else None
            if date is not None and date not in seen:
                seen.add(date)
                yield date


def read_date(item: Mapping[str, Any]) -> str | float | None:
    """The value of a row's or profile item's field `date`, if it can be one."""
    date = item.get("date")
    return date if isinstance(date, str | int | float) else None


def _normalize_item(
    behavior: Behavior, texts: Mapping[str | None, str | None], labels: LabelReader | None
) -> Behavior:
    date, response = texts[behavior.date], behavior.response
    if labels is not None and response is not None:
        response = labels.read(response) or response
    if (date, response) == (behavior.date, behavior.response):
        return behavior
    return replace(behavior, date=date, response=response)


def _hold_dates(values: frozenset[str]) -> Callable[[Example], bool]:
    def holds(example: Example) -> bool:
        dates = (example.date, *(behavior.date for behavior in example.history))
        return any(date is not None and spell(date) in values for date in dates)

    return holds


def _find_examples(examples: Sequence[Example], holds: Callable[[Example], bool]) -> Iterator[str]:
    return (example.id for example in examples if holds(example))


def _rebuild(
    example: Example,
    changed: Mapping[Behavior, Behavior],
    redated: Mapping[str | None, str | None],
) -> Example:
    history = tuple(changed.get(behavior, behavior) for behavior in example.history)
    return replace(example, history=history, date=redated.get(example.date, example.date))
