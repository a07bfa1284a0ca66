"""What a reader of scores should know about their data: a run repeats it, and tables show it.

The findings are those of `bench data verify` that have weight. They are kept next to the results,
one file per task and set, so that a table needs no data to show them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.data import Data
from bench.grid import Cell, Grid
from bench.settings import Settings
from tasks.common.errors import StorageError
from tasks.common.files import content_key, read_json, write_json
from tasks.common.words import LAMP
from tasks.data.findings import check_set
from tasks.data.layout import SetName
from tasks.example import Dataset
from tasks.task import Task

VERSION = 1
"""Increased whenever the same data give other notes."""
SHOWN_IDS = 3
ALWAYS = {"undated-histories"}
"""Kinds of findings that are shown although they are no warning: methods rely on what they say."""


def check_data(settings: Settings, grid: Grid, datas: Mapping[str, Data]) -> list[str]:
    """Check the grid's data where that wasn't done yet, and keep what is found.

    Returns the notes, also those that were kept earlier.

    Raises DataError where files are faulty, StorageError where notes can't be written.
    """
    for cell, set in _list_sets(settings, grid):
        path = _find_path(settings, cell, set)
        if not path.exists():
            dataset = datas[cell.source].load(cell.task, set)
            notes = list(_describe(cell.task(), dataset, cell))
            write_json(path, {"task": cell.task.name, "set": set, "notes": notes})
    return list(read_notes(settings, grid))


def read_notes(settings: Settings, grid: Grid) -> Iterator[str]:
    """The notes about a grid's data, as its last run left them."""
    yield from _describe_words(grid)
    unchecked: dict[str, None] = {}
    seen: dict[str, list[str]] = {}
    for cell, set in _list_sets(settings, grid):
        path = _find_path(settings, cell, set)
        if not path.exists():
            unchecked[f"{cell.place} ({set})"] = None
            continue
        notes = read_json(path).get("notes")
        if not isinstance(notes, list):
            raise StorageError("holds no notes", file=path, hint="Delete it; a run writes it again")
        for note in notes:
            seen.setdefault(str(note), []).append(f"{cell.place} {set}")
    for note, places in seen.items():
        yield f"data of {', '.join(places)}: {note}"
    if unchecked:
        yield f"data not checked: {', '.join(unchecked)} (`bench run {grid.suite}` checks them)"


def _describe_words(grid: Grid) -> Iterator[str]:
    """Which tasks' words are not those of LaMP's scripts."""
    tasks = {cell.place: cell.task for cell in grid.cells if cell.task.words != LAMP}
    if tasks:
        yield (
            f"words of {', '.join(tasks)}: Unicode's, in lower case, in ROUGE, BLEU and BM25; "
            "Chinese characters, emoji and the like are words of their own"
        )


def _list_sets(settings: Settings, grid: Grid) -> Iterator[tuple[Cell, SetName]]:
    """The sets that cells fit on or answer, each with a cell; generated data are left out."""
    cells = {(cell.source, cell.task.name): cell for cell in grid.cells}
    for cell in cells.values():
        source = settings.data.get(cell.source)
        if source is None or source.root is not None:
            for part in (cell.depends_on.train, cell.depends_on.evaluate):
                yield cell, part.set  # type: ignore[misc]


def _find_path(settings: Settings, cell: Cell, set: SetName) -> Path:
    key = cell.depends_on
    data = {part.set: part.data for part in (key.train, key.evaluate)}[set]
    digest = content_key([VERSION, cell.task.identity(), key.split, set, data], length=12)
    return settings.store.runs / cell.suite / cell.task.name / f"data-{digest}.json"


def _describe(task: Task, dataset: Dataset, cell: Cell) -> Iterator[str]:
    yield from dataset.notes
    split = "user" if cell.depends_on.split == "user" else "time"
    for finding in check_set(task, dataset, {}, split):
        if finding.severity != "info" or finding.kind in ALWAYS:
            ids = ", ".join(finding.ids[:SHOWN_IDS])
            more = ", …" if len(finding.ids) > SHOWN_IDS else ""
            yield f"{finding.message}: {ids}{more}" + (f". {finding.fix}" if finding.fix else "")
