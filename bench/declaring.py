"""Declares a task for a file that bench.toml does not name yet: guessed, and written to paste."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks import TASKS
from tasks.common.errors import ConfigError, DataError
from tasks.common.labels import find_spellings
from tasks.common.numbering import count
from tasks.table.config import TableConfig
from tasks.table.data import TableData
from tasks.table.guessing import guess_kind, guess_roles
from tasks.table.labels import infer_labels
from tasks.table.reading import read_table
from tasks.table.rows import require_columns
from tasks.task import Kind

ROLES = ("user", "input", "output", "time", "id")
BASELINES = {
    Kind.CLASSIFICATION: ["majority-label", "knn-vote"],
    Kind.ORDINAL: ["mean-score", "knn-vote"],
    Kind.GENERATION: ["copy-nearest-response"],
}


@dataclass(frozen=True)
class Preview:
    """A table as it would be read, and the declaration that says so.

    Attributes:
        guessed: the roles and keys that the user did not give.
    """

    name: str
    config: TableConfig
    guessed: frozenset[str]


def guess_declaration(path: Path, given: Mapping[str, Any]) -> Preview:
    """A declaration for an undeclared file.

    Args:
        given: keys of the declaration; None where the user gave none.

    Raises:
        DataError: the file can't be read, or lacks a given column.
        ConfigError: a column's role can't be guessed, or a given key is invalid.
    """
    keys = {key: value for key, value in given.items() if value is not None}
    encoding = keys.get("encoding") or _find_encoding(path)
    table = read_table(path, encoding)
    roles = guess_roles(table, {role: keys.get(role) for role in ROLES})
    kind = keys.get("kind") or guess_kind(table, roles["output"])
    try:
        config = TableConfig.model_validate(
            {"file": path, **keys, "kind": kind, "encoding": encoding, **roles}
        )
    except ValidationError as error:
        what = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(what, file=path, hint="Correct the option") from error
    require_columns(table, config)
    return Preview(name_task(path), config, frozenset((set(roles) | {"kind"}) - set(keys)))


def name_task(path: Path) -> str:
    """A name for the task of a file: its own, made free of what a name may not hold."""
    name = "".join(char if char.isalnum() or char in "-_" else "-" for char in path.stem)
    name = name.strip("-") or "mine"
    return f"my-{name}" if name in TASKS.targets else name


def _find_encoding(path: Path) -> str:
    """UTF-8, or cp1252 where the bytes aren't UTF-8."""
    try:
        read_table(path)
    except DataError as error:
        if "is not utf-8" in error.what:
            return "cp1252"
        raise
    return "utf-8"


def write_declaration(data: TableData, config: Path) -> Iterator[str]:
    """The lines of [tasks.NAME] and of a suite that runs it; `config` is the file they are for."""
    table = dict(_choose_keys(data, config))
    yield f"[tasks.{_quote_key(data.name)}]"
    for key, (value, comment) in table.items():
        line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        yield f"{line:30} # {comment}" if comment else line
    for fault in data.rows.dates.faults if data.rows.dates else ():
        if fault.kind != "unreadable-dates":
            line = '# dates = "day-first"'
            yield f'{line:30} # or "month-first": {fault.values[0]!r} can be either'
    used = {*data.config.columns.values(), *data.config.attributes}
    if free := [column for column in data.table.columns if column not in used]:
        line = f"# attributes = {json.dumps(free, ensure_ascii=False)}"
        yield f"{line:30} # kept with each query; no method sees them"
    yield ""
    yield f"[suites.{_quote_key(data.name)}]"
    yield f"tasks = {json.dumps([data.name])}"
    methods = ["zero-shot", "bm25", "pplug-whitened", *BASELINES[data.config.kind]]
    yield f"methods = {json.dumps(methods)}"
    line = 'llms = ["embedded"]'
    yield f"{line:30} # knows only LaMP-mini's language: name your own LLM"
    yield 'encoders = ["embedded"]'


def _choose_keys(data: TableData, file: Path) -> Iterator[tuple[str, tuple[Any, str]]]:
    """Each key of the table with its value and a comment ("" for none)."""
    config = data.config
    yield "kind", (config.kind.value, "")
    place = os.path.relpath(config.file.resolve(), file.resolve().parent)
    yield "file", (str(config.file.resolve()) if place.startswith("..") else place, "")
    if config.encoding != "utf-8":
        yield "encoding", (config.encoding, "")
    for role, column in config.columns.items():
        yield role, (column, "")
    if config.dates is not None:
        yield "dates", (config.dates, "")
    counts = Counter(row.output for row in data.rows.rows)
    variants = find_spellings(counts) if config.kind is Kind.CLASSIFICATION else []
    rare = {label for group in variants for label in sorted(group, key=counts.__getitem__)[:-1]}
    labels = config.labels or infer_labels(counts.keys() - rare, config.kind)
    if config.kind is not Kind.GENERATION and (variants or labels != data.labels):
        why = "other spellings count as these" if variants else "train lacks some"
        yield "labels", (labels, why)
    if 0 < len(data.rows.faults) < len(data.rows.rows):
        rows = count(len(data.table.rows), "row")
        comment = f"leaves out {len(data.rows.faults)} of {rows}"
        yield "faulty_rows", ("drop", comment)


def _quote_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)
