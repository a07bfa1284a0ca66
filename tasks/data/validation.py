"""Checks and converts the rows of LaMP's files; every error names the file, the id and a fix."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tasks.common.errors import DataError
from tasks.common.labels import LabelReader
from tasks.common.numbering import count
from tasks.data.document import Document
from tasks.example import Behavior, Example
from tasks.task import Task
from tasks.templates.fields import is_missing, read_field
from tasks.templates.lamp_task import FormError

T = TypeVar("T")
UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f]")
QUESTIONS = '[{"id": …, "input": …, "profile": […]}, …]'
OUTPUTS = '{"task": …, "golds": [{"id": …, "output": …}, …]}'
SHAPES = {"question": QUESTIONS, "gold": OUTPUTS}
LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""


def read_questions(document: Document) -> dict[str, dict[str, Any]]:
    """The rows of a questions file by id, in file order."""
    rows = document.value
    if isinstance(rows, dict) and isinstance(rows.get("golds"), list):
        rows = rows["golds"]  # the format of LaMP's Avocado script for test questions
    if not isinstance(rows, list):
        raise document.error(f"the questions are {_type_name(rows)}, not a list", shape=QUESTIONS)
    return dict(index_by_id(rows, document, "question"))


def read_golds(document: Document, task: Task) -> dict[str, str]:
    """The gold outputs by id, in file order; labels are spelled as the task spells them."""
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("golds"), list):
        raise document.error('the outputs are not {"task": …, "golds": […]}', shape=OUTPUTS)
    expected = task.official_name()
    if "task" not in value:
        raise document.error(
            "the outputs don't say of which task they are",
            hint=f'Write {{"task": "{expected}", "golds": […]}} to this file',
        )
    if value.get("task") != expected:
        raise document.error(
            f"these are outputs of task {value.get('task')!r}, not of {expected!r}",
            hint=f"Load the files as the task they belong to, or put {expected}'s files there",
        )
    golds = {}
    labels = LabelReader(task.labels)
    for id, row in index_by_id(value["golds"], document, "gold"):
        gold = _read_text(row, "output", document, id)
        label = labels.read(gold) if task.labels else gold
        if label is None:
            raise document.error(
                f"unknown label {shorten(gold)}; {task.name} has {', '.join(task.labels)}", id=id
            )
        try:
            task.gold_text(label)
        except ValueError as error:
            raise document.error(str(error), id=id) from error
        golds[id] = label
    return golds


def match_ids(questions: Document, asked: Mapping[str, Any], golds: Mapping[str, str]) -> None:
    """Raises DataError if a question has no gold, or a gold has no question."""
    for missing, total, what, other in (
        ([id for id in asked if id not in golds], asked, "question", "output"),
        ([id for id in golds if id not in asked], golds, "output", "question"),
    ):
        if missing:
            verb = "has" if len(missing) == 1 else "have"
            raise questions.error(
                f"{len(missing)} of {count(len(total), what)} {verb} no {other}",
                id=missing[0],
                hint="Put questions and outputs of the same set and split in one folder",
            )


def build_example(
    row: Mapping[str, Any],
    id: str,
    task: Task,
    document: Document,
    history: Iterable[Behavior],
    *,
    corrupt: bool = False,
) -> Example:
    """Convert a row of a questions file to an Example with this history.

    Args:
        corrupt: the official row is known to be faulty and kept on request: if its input can't be
            parsed, the whole input becomes the query.
    """
    input = _read_text(row, "input", document, id)
    try:
        query, subject = task.query(input), task.subject(input)
    except ValueError as error:
        if not corrupt:
            raise _form_error(document, id, input, task, error) from error
        query = subject = input
    user_id, date = row.get("user_id"), row.get("date")
    return Example(
        id=id,
        user_id=id if is_missing(user_id) else _read_id(row, "user_id", document, id),
        input=input,
        query=query,
        subject=subject,
        history=tuple(history),
        date=None if is_missing(date) else _read_text(row, "date", document, id),
    )


def read_history(
    row: Mapping[str, Any],
    document: Document,
    id: str,
    read: Callable[[dict[str, Any]], tuple[str, T]],
) -> Iterator[T]:
    """What `read` makes of each item of a row's profile; ids that repeat are numbered.

    Args:
        read: profile item → the id that it has in its history, and anything; raises KeyError for a
            missing field and TypeError for one of a wrong type.
    """
    profile = row.get("profile")
    if not isinstance(profile, list):
        raise document.error(f"the profile is {_type_name(profile)}, not a list", id=id)
    taken: set[str] = set()
    for position, raw in enumerate(profile):
        if not isinstance(raw, dict):
            raise document.error(
                f"profile item {position} is {_type_name(raw)}, not an object", id=id
            )
        try:
            own, found = read(_make_unique(raw, taken))
        except KeyError as error:
            raise document.error(
                f"profile item {position} has no field {error.args[0]!r}", id=id
            ) from error
        except TypeError as error:
            raise document.error(f"profile item {position}: {error}", id=id) from error
        taken.add(own)
        yield found


def _make_unique(raw: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    """The item with an id that is new to its history: some official profiles repeat ids."""
    id = read_field(raw, "id", numbers=True)
    if id not in taken:
        return raw
    number = next(number for number in range(2, len(taken) + 3) if f"{id}#{number}" not in taken)
    return {**raw, "id": f"{id}#{number}"}


def index_by_id(
    rows: Iterable[Any], document: Document, what: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row with its id, as it is read. Raises DataError for the first faulty one."""
    if not rows:
        raise document.error(f"the file contains no {what}", shape=SHAPES[what])
    seen: set[str] = set()
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            raise document.error(f"{what} {position} is {_type_name(row)}, not an object")
        if is_missing(row.get("id")):
            raise document.error(f"{what} {position} has no id")
        id = _read_id(row, "id", document, str(row["id"]))
        if id in seen:
            raise document.error(f"two {what}s share this id", id=id)
        seen.add(id)
        yield id, row


def _read_id(row: Mapping[str, Any], name: str, document: Document, id: str) -> str:
    value = _read_text(row, name, document, id)
    if UNSAFE.search(value) or value.strip() in {"", ".", ".."}:
        raise document.error(
            f"{name} {shorten(value)} is empty, or contains a path separator or control character",
            id=id,
        )
    return value


def _read_text(row: Mapping[str, Any], name: str, document: Document, id: str) -> str:
    try:
        return read_field(row, name, numbers=name != "input")
    except KeyError as error:
        raise document.error(f"the field {name!r} is missing", id=id) from error
    except TypeError as error:
        raise document.error(str(error), id=id) from error


def _form_error(
    document: Document, id: str, input: str, task: Task, error: ValueError
) -> DataError:
    """The error for an input that is not a prompt of the task; names the task it belongs to."""
    from tasks import lamp

    hint = error.hint if isinstance(error, FormError) else None
    for other in lamp.ALL:
        if other.name != task.name and _is_input_of(input, other()):
            hint = f"These are files of {other.name}: load them as that task, or replace them"
    return document.error(str(error), id=id, hint=hint)


def _is_input_of(input: str, task: Task) -> bool:
    try:
        task.query(input)
    except ValueError:
        return False
    return True


def shorten(text: str) -> str:
    """The text in quotes, without its end if it is long."""
    return repr(text) if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]!r}…"


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "missing" if value is None else names.get(type(value), "a number")
