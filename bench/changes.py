"""Why a cell must run although one like it is stored: the parts of the key that differ."""

from collections.abc import Iterator, Sequence
from typing import Any

from bench import store
from bench.grid import Cell, Grid
from bench.records import CellRecord
from tasks.common.errors import StorageError

LONGEST = 40
"""Characters that are shown of a value."""
MEANINGS = {
    "llm": "the LLM (weights, tokenizer, template, dtype or decoding)",
    "encoder": "the encoder",
    "models": "a model that the method's options name",
    "train.data": "the train data",
    "evaluate.data": "the evaluated data",
    "watched": "the dev data that training watches",
    "key_version": "the version of this package's keys",
    "task_version": "the task's version",
    "method.version": "the method's version",
}
"""Part of the key → what it stands for; others are shown by name and with both values."""
TRAINED_ON = "trained_on."
"""Begins the parts that stand for other tasks' data."""
HASHED = {"llm", "encoder", "train.data", "evaluate.data", "watched"}


def explain_left(grid: Grid) -> dict[str, str]:
    """Key of a cell that is left → what has changed since the nearest stored result in its place.

    The place is suite, task, method, seed, and the names of data source, LLM and encoder; the
    nearest result there has the fewest parts that differ. Cells without one are left out: they
    never ran. So are stored results that the grid still names, and damaged ones.
    """
    planned = {cell.folder for cell in grid.cells}
    found = {}
    for cell in grid.cells:
        if not store.is_done(cell.folder):
            past = [r for r in _read_past(cell) if _folder(cell, r) not in planned]
            changes = sorted((list(_compare(record.identity, cell)) for record in past), key=len)
            if changes:
                found[cell.key] = ", ".join(changes[0])
    return found


def summarize_left(reasons: Sequence[str]) -> Iterator[str]:
    """One line for each reason, with the number of cells, the most frequent first."""
    for reason in sorted(set(reasons), key=lambda reason: (-reasons.count(reason), reason)):
        number = reasons.count(reason)
        yield (
            f"{number} cell{'s' * (number != 1)} must run again, because a stored result differs "
            f"in {reason}"
        )


def _read_past(cell: Cell) -> Iterator[CellRecord]:
    """The records of other results in the cell's place."""
    for path in sorted(cell.folder.parent.glob(f"{cell.seed}-*/{store.RECORD}")):
        try:
            record = store.read_record(path.parent)
        except StorageError:
            continue
        names = (record.data, record.llm, record.encoder)
        if names == (cell.source, cell.llm, cell.encoder):
            yield record


def _folder(cell: Cell, record: CellRecord) -> Any:
    return cell.folder.with_name(f"{record.seed}-{record.key}")


def _compare(stored: dict[str, Any], cell: Cell) -> Iterator[str]:
    """Each part of the key that differs, as "what it is", or "name old → new"."""
    old, new = dict(_flatten(stored)), dict(_flatten(cell.depends_on.to_json()))
    for name in dict.fromkeys([*new, *old]):
        if old.get(name) == new.get(name) and (name in old) == (name in new):
            continue
        about = MEANINGS.get(name)
        if name.startswith(TRAINED_ON):
            yield f"what it is trained on ({name.removeprefix(TRAINED_ON)})"
            continue
        if about is None or name not in HASHED | {"models"}:
            about = f"{about or _shorten_name(name)} {_show(old, name)} → {_show(new, name)}"
        yield about


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(name with dots, value) of every part that isn't an object or a list of objects."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for place, item in enumerate(value):
            label = item.get("role", place) if isinstance(item, dict) else place
            yield from _flatten(item, f"{name}.{label}")
    else:
        yield name, value


def _shorten_name(name: str) -> str:
    return name.removeprefix("method.options.").removeprefix("method.")


def _show(parts: dict[str, Any], name: str) -> str:
    if name not in parts:
        return "(absent)"
    text = str(parts[name])
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
