"""Exports a suite's results to a folder small enough to commit: tables, scores, provenance."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import render, store
from bench.data import DECLARED
from bench.grid import Grid
from bench.records import CellRecord, ModelDescriptions
from bench.settings import Settings
from bench.tables import build
from tasks.common.errors import ConfigError
from tasks.common.files import write_json, write_text

TABLES, SCORES, CELLS, PROVENANCE = "tables.md", "scores.csv", "cells.jsonl", "provenance.json"
LEFT_OUT: Any = {"environment": True, "identity": True, "models": True, "fit": {"curve"}}
"""Parts of a record that many cells share (provenance.json has them once), or that are long."""


def export(settings: Settings, grid: Grid, out: Path) -> None:
    """Write a finished suite's results to `out`, replacing files of an earlier export.

    tables.md (scores, differences and costs), scores.csv (scores with their intervals),
    cells.jsonl (each cell's key, config, seconds, memory, training report and cost), and
    provenance.json (the suite's settings, the models, and each environment with its number of
    cells).

    Raises:
        ConfigError: a cell isn't done.
        StorageError: a stored file is damaged, or `out` can't be written.
    """
    left = [cell for cell in grid.cells if not store.is_done(cell.folder)]
    failed = [cell for cell in left if store.error_file(cell.folder).is_file()]
    if left:
        chosen, state = (failed, "have failed") if failed else (left, "are not done")
        raise ConfigError(
            f"{len(chosen)} of {len(grid.cells)} cells of suite {grid.suite!r} {state}, such as "
            f"{chosen[0].title}",
            hint=f"See `bench show {failed[0].key} --suite {grid.suite}`, then fix the method and "
            f"run `bench run {grid.suite}` again, or leave the method out of the suite"
            if failed
            else f"Run `bench run {grid.suite}` first",
        )
    records = [store.read_record(cell.folder) for cell in grid.cells]
    table = build(settings, grid, all_metrics=True)
    write_text(out / TABLES, render.to_markdown(table))
    write_text(out / SCORES, render.to_csv(table))
    write_text(out / CELLS, "".join(_shorten(record) + "\n" for record in records))
    write_json(out / PROVENANCE, _describe_provenance(settings, grid, records))


def _shorten(record: CellRecord) -> str:
    return json.dumps(record.model_dump(mode="json", exclude=LEFT_OUT))


def _describe_provenance(
    settings: Settings, grid: Grid, records: Sequence[CellRecord]
) -> dict[str, Any]:
    _, suite = settings.suite(grid.suite)
    environments = [
        json.dumps(record.environment.model_dump(mode="json"), sort_keys=True) for record in records
    ]
    seconds = sum(record.seconds.total for record in records)
    return {
        "suite": grid.suite,
        "settings": suite.model_dump(mode="json"),
        "data": _describe_data(settings, records),
        "models": _collect_distinct([record.models for record in records]),
        "environments": [
            {"cells": environments.count(text), **json.loads(text)}
            for text in dict.fromkeys(environments)
        ],
        "cells": len(records),
        "hours": round(seconds / 3600, 2),
    }


def _describe_data(settings: Settings, records: Sequence[CellRecord]) -> dict[str, Any]:
    """Data source → how it was made or declared, and the hash of each task's sets.

    Folders and paths stay out: they say where the data lay, not what they were.
    """
    found: dict[str, Any] = {}
    for record in records:
        described = found.setdefault(record.data, _describe_source(settings, record))
        sets = described["fingerprints"].setdefault(record.task, {})
        for key in ("train", "evaluate"):
            part = record.identity[key]
            sets[part["set"]] = part["data"]
    return found


def _describe_source(settings: Settings, record: CellRecord) -> dict[str, Any]:
    if record.data.startswith(DECLARED) and record.task in settings.tasks:
        declared = settings.tasks[record.task].model_dump(mode="json")
        return {**declared, "file": settings.tasks[record.task].file.name, "fingerprints": {}}
    source = settings.source(record.data).model_dump(mode="json", exclude={"root"})
    return {**source, "fingerprints": {}}


def _collect_distinct(models: Sequence[ModelDescriptions]) -> dict[str, list[Any]]:
    """Kind → the distinct descriptions found in the records."""
    found: dict[str, list[Any]] = {"llm": [], "encoder": []}
    for descriptions in models:
        for kind, known in found.items():
            description = getattr(descriptions, kind)
            if description is not None and description not in known:
                known.append(description)
    return found
