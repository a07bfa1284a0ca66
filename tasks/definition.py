"""Checks a task's class attributes when the registry loads it, before any data is read."""

from string import Formatter
from typing import Any, get_args

from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean
from tasks.common.words import WordRule
from tasks.scoring import EVALUATE
from tasks.task import Kind, Task
from tasks.templates.lamp_task import LaMPTask

REQUIRED = {
    "name": "it stands in suites and tables",
    "folder": "the task's folder in the data folder",
    "kind": "Kind.CLASSIFICATION, Kind.ORDINAL or Kind.GENERATION",
    "metrics": "names of metrics, the primary one first",
}
SHIPPED = frozenset({"tasks.lamp", "tasks.longlamp", "tasks.lamp_qa"})
INSTRUCTION = "an input is the instruction, a space and the content"
LEAD = "the first words of every input"
MARKER = "the query is the text after it"
ITEM_TEMPLATE = "such as '{response} is the score for \"{content}\"'"


def check_definition(task: type[Task]) -> None:
    """Raise ConfigError for an attribute that is missing or wrong; it names class and attribute."""
    for name, meaning in REQUIRED.items():
        _require(task, name, meaning)
    if not isinstance(task.kind, Kind):
        raise _fault(task, f"`kind` is {task.kind!r}", f"Write {REQUIRED['kind']}")
    if abstract := sorted(getattr(task, "__abstractmethods__", ())):
        raise _fault(task, f"does not define {', '.join(abstract)}", "Define it in the class")
    for name in ("labels", "metrics"):
        _require_tuple(task, name)
    if task.kind is not Kind.GENERATION and not task.labels:
        raise _fault(task, f"has no `labels`, but its kind is {task.kind}", "Add `labels = (…)`")
    _check_metrics(task)
    if task.words not in get_args(WordRule):
        raise _fault(task, f"`words` is {task.words!r}", 'Write "lamp" or "unicode"')
    if issubclass(task, LaMPTask):
        _check_templates(task)


def _check_metrics(task: type[Task]) -> None:
    if task.__module__ in SHIPPED:  # tested, so loading needs no numpy
        return
    from tasks.metrics import names

    known = list(names(task))
    for metric in task.metrics:
        if metric not in known and not metric.startswith(EVALUATE):
            what = f"`metrics` names {metric!r}, which is no metric for a {task.kind} task"
            raise _fault(task, what, did_you_mean(metric, known))


def _check_templates(task: type[LaMPTask]) -> None:
    """What a method of LaMPTask reads is required unless the task overrides that method."""
    if task.training_pairs is LaMPTask.training_pairs:
        _require(task, "instruction", INSTRUCTION)
    if task.query is LaMPTask.query:
        _require(task, "lead", LEAD)
        _require(task, "marker", MARKER)
    if task.behavior is LaMPTask.behavior:
        _find_fields(task, "corpus_template")
        if task.history_has_labels and task.response_field is None:
            raise _fault(
                task,
                "sets `history_has_labels = True` without a `response_field`",
                "Add `response_field = …`, the profile item's field that holds the label",
            )
    if task.item is LaMPTask.item:
        _require(task, "item_template", ITEM_TEMPLATE)
        fields = _find_fields(task, "item_template")
        for field in sorted(fields - {"content", "response"}):
            raise _fault(
                task,
                f"`item_template` names {{{field}}}",
                "Use {content} and {response}; `content_field` and `response_field` say which "
                "fields of a profile item they are",
            )


def _find_fields(task: type[Task], name: str) -> set[str]:
    template = getattr(task, name)
    try:
        return {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except (TypeError, ValueError) as error:
        raise _fault(
            task, f"`{name}` is not a template ({error})", "Write a literal brace as {{ or }}"
        ) from error


def _require(task: type[Task], name: str, meaning: str) -> None:
    if not hasattr(task, name):
        raise _fault(task, f"has no `{name}`", f"Add `{name} = …` to the class: {meaning}")


def _require_tuple(task: type[Task], name: str) -> None:
    value: Any = getattr(task, name)
    if isinstance(value, str):
        raise _fault(
            task, f"`{name}` is the string {value!r}", f'Write a tuple: {name} = ("{value}",)'
        )
    if not (isinstance(value, tuple | list) and all(isinstance(item, str) for item in value)):
        raise _fault(task, f"`{name}` is {value!r}", "Write a tuple of strings")
    if name == "metrics" and not value:
        raise _fault(task, "`metrics` is empty", f"Write {REQUIRED['metrics']}")


def _fault(task: type[Task], what: str, hint: str) -> ConfigError:
    return ConfigError(f"class {task.__module__}.{task.__qualname__}: {what}", hint=hint)
