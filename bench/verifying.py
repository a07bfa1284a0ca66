"""`bench verify`: every stored number derived again from the stored predictions."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import export, store
from bench.data import open_sources
from bench.grid import Cell, Grid
from bench.records import CellRecord, CellScores
from bench.scoring import read_whole, score_cell
from bench.settings import Settings
from bench.stored_files import JUDGED, digest_files
from methods.cache.journal import count_damaged
from tasks import Dataset, Prediction
from tasks.common.errors import StorageError

SHOWN = 10
"""Differences that are listed of one file."""


@dataclass(frozen=True)
class Finding:
    """A file that isn't what it should be."""

    file: Path
    problem: str


@dataclass
class Count:
    """What was compared: cells, their files, and numbers derived again."""

    cells: int = 0
    files: int = 0
    numbers: int = 0


def verify_cells(settings: Settings, grid: Grid, count: Count) -> Iterator[Finding]:
    """What is wrong with the grid's finished cells; `count` is advanced.

    Every file is compared with its checksum, `model/` too; the record's counts and every metric's
    value and rows are derived again from predictions and golds, under the rules that the cell was
    scored with.

    Raises DataError where the data can't be read.
    """
    _, suite = settings.suite(grid.suite)
    datas = open_sources(settings, suite)
    for cell in grid.cells:
        if store.is_done(cell.folder):
            dataset = datas[cell.source].load(cell.task, suite.evaluate)
            count.cells += 1
            try:
                yield from _verify_cell(cell, dataset, count)
            except StorageError as error:
                yield Finding(Path(error.file or cell.folder), error.what)


def _verify_cell(cell: Cell, dataset: Dataset, count: Count) -> Iterator[Finding]:
    record = store.read_record(cell.folder)
    yield from _verify_files(cell.folder, record, count)
    predictions = read_whole(cell, record, dataset)
    count.numbers += len(record.totals.model_dump(exclude_none=True))
    if dataset.golds is None:
        yield from _verify_submission(cell, predictions)
        return
    scores = store.read_scores(cell.folder)
    if scores is None:
        yield Finding(cell.folder / store.SCORES, "is missing, although the set has golds")
        return
    derived = score_cell(cell.task(), dataset, predictions, scores.scoring)
    yield from _compare_scores(cell.folder / store.SCORES, scores, derived, count)


def _verify_files(folder: Path, record: CellRecord, count: Count) -> Iterator[Finding]:
    if not record.has_checksums:
        problem = "was stored without checksums; `bench score` adds them"
        yield Finding(folder / store.RECORD, problem)
        return
    for path in sorted((folder / JUDGED).glob("*.jsonl")):
        count.files += 1
        if damaged := count_damaged(path):
            problem = f"holds {damaged} damaged lines; `bench judge` asks for them again"
            yield Finding(path, problem)
    found = digest_files(folder, leave_out=store.SEALED)
    count.files += len(found) + len(store.SEALED)
    for name in sorted(found.keys() | record.files.keys()):
        if name not in found:
            yield Finding(folder / name, "is missing")
        elif name not in record.files:
            yield Finding(folder / name, "is not part of the result")
        elif found[name] != record.files[name]:
            yield Finding(folder / name, "is damaged: its checksum differs")


def _verify_submission(cell: Cell, predictions: list[Prediction]) -> Iterator[Finding]:
    path = cell.folder / store.SUBMISSION
    derived = store.format_submission(cell.task.official_name(), predictions)
    if not path.is_file() or path.read_bytes() != derived.encode():
        yield Finding(path, "is missing, or holds other answers than the predictions")


def _compare_scores(
    path: Path, stored: CellScores, derived: CellScores, count: Count
) -> Iterator[Finding]:
    if (stored.ids, stored.users) != (derived.ids, derived.users):
        yield Finding(path, "scores other examples or users than the data's")
    for name in dict.fromkeys([*stored.metrics, *derived.metrics]):
        if name in derived.withheld and name in stored.metrics:
            yield Finding(path, f"{name} can't be derived here: {derived.withheld[name]}")
            continue
        if name in stored.withheld and name not in stored.metrics:
            continue  # it was scored where the metric could not be computed: nothing to compare
        if name not in stored.metrics or name not in derived.metrics:
            state = "derived, but not stored" if name in derived.metrics else "not a metric of it"
            yield Finding(path, f"{name}: {state}; `bench score` derives all metrics again")
            continue
        ours, theirs = (scores.metrics[name].model_dump() for scores in (stored, derived))
        count.numbers += len(ours) - 1 + len(ours["rows"] or ())
        for field in ours:
            if ours[field] != theirs.get(field):
                values = "" if field == "rows" else f" {ours[field]}, derived {theirs.get(field)}"
                yield Finding(
                    path, f"{name}: stored {field}{values or ' differ from derived ones'}"
                )


def verify_export(settings: Settings, grid: Grid, folder: Path, count: Count) -> Iterator[Finding]:
    """What differs between an exported folder and what the stored cells give now.

    Numbers are compared one by one in scores.csv and cells.jsonl, as far as both versions hold
    them, and tables.md line by line.

    Raises:
        ConfigError: a cell isn't done.
        StorageError: a stored file is damaged, or the folder is no export.
    """
    with TemporaryDirectory() as temporary:
        export.export(settings, grid, Path(temporary))
        for name, compare in (
            (export.SCORES, _compare_csv),
            (export.CELLS, _compare_records),
            (export.TABLES, _compare_lines),
        ):
            stored, derived = (_read_text(place / name) for place in (folder, Path(temporary)))
            problems = list(compare(stored, derived, count))
            yield from (Finding(folder / name, problem) for problem in problems[:SHOWN])
            if len(problems) > SHOWN:
                yield Finding(folder / name, f"{len(problems) - SHOWN} more differences")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise StorageError(
            f"can't be read ({error})", file=path, hint="Name a folder that `bench export` wrote"
        ) from error


CSV_KEY = ("task", "metric", "method", "llm", "encoder", "max_input_tokens", "budget_rule")


def _compare_csv(stored: str, derived: str, count: Count) -> Iterator[str]:
    ours, theirs = (_index_csv(text) for text in (stored, derived))
    for key in dict.fromkeys([*ours, *theirs]):
        place = " · ".join(part for part in key if part)
        if key not in ours or key not in theirs:
            yield f"{place}: {'not derived' if key in ours else 'missing'}"
            continue
        for name in ours[key].keys() & theirs[key].keys():
            count.numbers += 1
            if ours[key][name] != theirs[key][name]:
                yield f"{place}: {name} {ours[key][name]}, derived {theirs[key][name]}"


def _index_csv(text: str) -> dict[tuple[str, ...], dict[str, str]]:
    rows = list(csv.DictReader(text.splitlines()))
    return {tuple(row.get(name) or "" for name in CSV_KEY): row for row in rows}


def _compare_records(stored: str, derived: str, count: Count) -> Iterator[str]:
    ours, theirs = (
        {record["key"]: record for record in map(json.loads, text.splitlines())}
        for text in (stored, derived)
    )
    for key in dict.fromkeys([*ours, *theirs]):
        if key not in ours or key not in theirs:
            yield f"{key}: {'no such cell is stored' if key in ours else 'missing'}"
            continue
        old, new = dict(_flatten(ours[key])), dict(_flatten(theirs[key]))
        for name in old.keys() & new.keys():
            count.numbers += 1
            if old[name] != new[name]:
                yield f"{key}: {name} {old[name]}, stored {new[name]}"


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _compare_lines(stored: str, derived: str, count: Count) -> Iterator[str]:
    ours, theirs = stored.splitlines(), derived.splitlines()
    for number in range(max(len(ours), len(theirs))):
        old, new = (lines[number] if number < len(lines) else "" for lines in (ours, theirs))
        count.numbers += 1
        if old != new:
            yield f"line {number + 1} is {old!r}, derived {new!r}"
