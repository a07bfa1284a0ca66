"""Stored predictions in the format of LaMP's leaderboard and of its `eval/evaluation.py`.

A zip with one JSON file per task: {"task": "LaMP_3", "golds": [{"id": …, "output": …}, …]}. The
script refuses a file whose ids are not all those of its golds.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from bench import store
from bench.grid import Cell, Grid
from tasks.common.errors import ConfigError
from tasks.common.files import atomic_write

ENTRY_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in a zip, so that equal predictions are equal bytes."""


def write_submissions(grid: Grid, out: Path) -> Iterator[Path]:
    """Write a zip to `out` for each row and seed, with all of its finished tasks.

    A prediction that failed has an empty output.

    Raises:
        ConfigError: no cell is done.
        StorageError: a stored file is damaged, or a zip can't be written.
    """
    rows: dict[str, list[Cell]] = {}
    for cell in grid.cells:
        if store.is_done(cell.folder):
            rows.setdefault(_name_row(cell), []).append(cell)
    if not rows:
        raise ConfigError(
            f"no cell of suite {grid.suite!r} is done", hint=f"Run `bench run {grid.suite}` first"
        )
    for name, cells in rows.items():
        path = out / f"{name}.zip"
        with atomic_write(path) as part, zipfile.ZipFile(part, "w") as archive:
            for cell in cells:
                task = cell.task.official_name()
                answers = store.read_predictions(cell.folder / store.PREDICTIONS)
                entry = zipfile.ZipInfo(f"{task}.json", ENTRY_DATE)
                text = store.format_submission(task, answers)
                archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
        yield path


def _name_row(cell: Cell) -> str:
    """A file name for the row and the seed, which tasks share."""
    place = cell.place.removeprefix(cell.task.name).strip()
    budget = cell.budget if cell.several_budgets else None
    parts = (place, cell.variant, cell.llm, cell.encoder, budget, f"seed {cell.seed}")
    return "-".join(str(part) for part in parts if part).replace(" ", "-")
