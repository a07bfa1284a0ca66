"""`bench list`: everything that has a name, with one line about each. Imports no torch."""

import ast
import importlib.util
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.settings import DataSettings, Settings, Suite
from methods import METHODS
from methods.models.config import EncoderConfig, LLMConfig
from tasks import TASKS
from tasks.table.config import TableConfig

LONGEST = 100
"""Characters of a variant's options."""


def describe(settings: Settings) -> dict[str, dict[str, str]]:
    """Section → name → one line."""
    return {
        "tasks": _summarize_classes(TASKS.targets)
        | {name: _describe_declared(task) for name, task in settings.tasks.items()},
        "methods": _summarize_classes(METHODS.targets),
        "variants": {name: _describe_variant(table, name) for name, table in _variants(settings)},
        "pools": {name: ", ".join(members) for name, members in settings.pools.items()},
        "data": {name: _describe_source(source) for name, source in settings.data.items()},
        "llms": {name: _describe_llm(llm) for name, llm in settings.llms.items()},
        "encoders": {name: _describe_encoder(e) for name, e in settings.encoders.items()},
        "suites": {
            name: _describe_suite(suite, default=name == settings.default_suite)
            for name, suite in settings.suites.items()
        },
    }


def summarize(target: str, *, alone: bool) -> str:
    """The first docstring line of a "module:Class": the module's if it is alone there, or its own.

    The source is parsed, so that neither torch nor a broken plug-in is imported; "" where there is
    no docstring.
    """
    module, _, name = target.partition(":")
    tree = _parse(module)
    if tree is None:
        return ""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    nodes: list[ast.Module | ast.ClassDef] = [tree, *classes] if alone else [*classes, tree]
    found = [text for node in nodes if (text := ast.get_docstring(node))]
    return found[0].partition("\n")[0].removesuffix(".") if found else ""


@cache
def _parse(module: str) -> ast.Module | None:
    try:
        spec = importlib.util.find_spec(module)
        source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
        return ast.parse(source)
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def _summarize_classes(targets: Mapping[str, str]) -> dict[str, str]:
    modules = Counter(target.partition(":")[0] for target in targets.values())
    return {
        name: summarize(target, alone=modules[target.partition(":")[0]] == 1)
        for name, target in targets.items()
    }


def _variants(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables that are not merely options of the method of the same name."""
    for name, table in settings.methods.items():
        if name not in METHODS.targets:
            yield name, table


def _describe_variant(table: dict[str, Any], name: str) -> str:
    method = table.get("method", name)
    if about := table.get("about"):
        return f"{method}: {about}"
    options = {key: value for key, value in table.items() if key not in {"method", "about"}}
    text = ", ".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
    return f"{method}: {text if len(text) <= LONGEST else text[: LONGEST - 1] + '…'}"


def _describe_declared(task: TableConfig) -> str:
    what = task.about or f"{task.output} of a {task.input}, by {task.user} ({task.kind})"
    return f"{what}: {task.file}{'' if task.file.is_file() else ' (no such file)'}"


def _describe_source(source: DataSettings) -> str:
    if source.root is not None:
        return f"{source.root}{'' if source.root.is_dir() else ' (not downloaded)'}"
    if source.mini is None:
        return "a small generated set in LaMP's format"
    knobs = source.mini.model_dump(exclude_unset=True)
    return f"LaMP-mini: {', '.join(f'{key} {value}' for key, value in knobs.items())}"


def _describe_llm(llm: LLMConfig) -> str:
    adapted = "" if llm.adapt == "none" else f", tuned on the train split ({llm.adapt})"
    return (llm.model or "a small T5 from scratch") + adapted


def _describe_encoder(encoder: EncoderConfig) -> str:
    return encoder.model


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _describe_suite(suite: Suite, *, default: bool) -> str:
    size = f"{_count(len(suite.tasks), 'task')} × {_count(len(suite.methods), 'method')}"
    return f"{size}{' (default)' if default else ''}. {suite.about}".rstrip()
