"""Reading LaMP's files with suspicion: every fault names file, id and hint."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.common.errors import DataError
from tasks.data.document import AGAIN, OFFICIAL, Document
from tasks.example import Behavior, Example
from tasks.task import Task
from tasks.templates.lamp_task import FormError, field

UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")


def question_rows(document: Document) -> dict[str, dict[str, Any]]:
    """The questions by id, in file order."""
    rows = document.value
    if isinstance(rows, dict) and isinstance(rows.get("golds"), list):
        rows = rows["golds"]  # so writes LaMP's Avocado script its test questions
    if not isinstance(rows, list):
        raise document.fault(f"questions are {_type(rows)}, not a list")
    return dict(_by_id(rows, document, "question"))


def gold_outputs(document: Document, task: Task) -> dict[str, str]:
    """The golds by id, in file order; labels checked against the task's."""
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("golds"), list):
        raise document.fault('outputs are not {"task": …, "golds": […]}')
    expected = task.official_name()
    if value.get("task") != expected:
        raise document.fault(
            f"these are outputs of task {value.get('task')!r}, not of {expected!r}",
            hint=f"Ask for the task of that name, or put {expected}'s files there",
        )
    golds = {}
    for id, row in _by_id(value["golds"], document, "gold"):
        golds[id] = _text(row, "output", document, id)
        if task.labels and golds[id].strip() not in task.labels:
            raise document.fault(
                f"unknown label {golds[id]!r}; {task.name} has {', '.join(task.labels)}", id=id
            )
    return golds


def match_ids(questions: Document, asked: Mapping[str, Any], golds: Mapping[str, str]) -> None:
    """Raises DataError where a question has no gold or a gold has no question."""
    for missing, what in (
        ([id for id in asked if id not in golds], "questions without an output"),
        ([id for id in golds if id not in asked], "outputs without a question"),
    ):
        if missing:
            raise questions.fault(
                f"{len(missing)} of {max(len(asked), len(golds))} are {what}",
                id=missing[0],
                hint="Put questions and outputs of the same set and split side by side",
            )


def example(
    row: Mapping[str, Any],
    id: str,
    task: Task,
    document: Document,
    seen: dict[Behavior, Behavior],
    *,
    corrupt: bool = False,
) -> Example:
    """One question as an Example.

    Args:
        seen: equal behaviours of other examples, to be kept in memory once.
        corrupt: an official row known to be faulty, kept on demand: where its input is not of the
            task's form, the whole input is the query.
    """
    input = _text(row, "input", document, id)
    try:
        query, subject = task.query(input), task.subject(input)
    except ValueError as error:
        if not corrupt:
            raise _form_fault(document, id, input, task, error) from error
        query = subject = input
    user_id = row.get("user_id")
    date = row.get("date")
    return Example(
        id=id,
        user_id=id if user_id is None else _safe_id(row, "user_id", document, id),
        input=input,
        query=query,
        subject=subject,
        history=_history(row, task, document, id, seen),
        date=None if date is None else _text(row, "date", document, id),
    )


def _history(
    row: Mapping[str, Any], task: Task, document: Document, id: str, seen: dict[Behavior, Behavior]
) -> tuple[Behavior, ...]:
    profile = row.get("profile")
    if not isinstance(profile, list):
        raise document.fault(f"the profile is {_type(profile)}, not a list", id=id)
    history: list[Behavior] = []
    taken: set[str] = set()
    for position, raw in enumerate(profile):
        if not isinstance(raw, dict):
            raise document.fault(f"profile item {position} is {_type(raw)}, not an object", id=id)
        try:
            behavior = task.behavior(_unique(raw, taken))
        except KeyError as error:
            raise document.fault(
                f"profile item {position} has no {error.args[0]!r}", id=id
            ) from error
        except TypeError as error:
            raise document.fault(f"profile item {position}: {error}", id=id) from error
        taken.add(behavior.id)
        history.append(seen.setdefault(behavior, behavior))
    return tuple(history)


def _unique(raw: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    """The item under an id that its history hasn't: official profiles repeat ids here and there."""
    id = field(raw, "id", numbers=True)
    if id not in taken:
        return raw
    number = next(number for number in range(2, len(taken) + 3) if f"{id}#{number}" not in taken)
    return {**raw, "id": f"{id}#{number}"}


def _by_id(rows: list[Any], document: Document, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not rows:
        raise document.fault(f"there is no {what} in the file", hint=AGAIN)
    seen: set[str] = set()
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            raise document.fault(f"{what} {position} is {_type(row)}, not an object")
        if row.get("id") is None:
            raise document.fault(f"{what} {position} has no id")
        id = _safe_id(row, "id", document, str(row["id"]))
        if id in seen:
            raise document.fault(f"two {what}s have this id", id=id)
        seen.add(id)
        yield id, row


def _safe_id(row: Mapping[str, Any], name: str, document: Document, id: str) -> str:
    value = _text(row, name, document, id)
    if UNSAFE.search(value) or value.strip() in {"", ".", ".."}:
        raise document.fault(
            f"{name} {value!r} is empty or holds a path separator or control character", id=id
        )
    return value


def _text(row: Mapping[str, Any], name: str, document: Document, id: str) -> str:
    try:
        return field(row, name, numbers=name != "input")
    except KeyError as error:
        raise document.fault(f"there is no {name!r}", id=id) from error
    except TypeError as error:
        raise document.fault(str(error), id=id) from error


def _form_fault(
    document: Document, id: str, input: str, task: Task, error: ValueError
) -> DataError:
    """The fault of an input of another form, naming the task whose form it is."""
    from tasks import lamp

    hint = error.hint if isinstance(error, FormError) else OFFICIAL
    for other in lamp.ALL:
        if other.name != task.name and _is_of(input, other()):
            hint = f"These are {other.name}'s files: ask for that task, or replace them"
    return document.fault(str(error), id=id, hint=hint)


def _is_of(input: str, task: Task) -> bool:
    try:
        task.query(input)
    except ValueError:
        return False
    return True


def _type(value: Any) -> str:
    return "missing" if value is None else type(value).__name__
