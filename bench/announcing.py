"""What `bench run` says before it starts: what it will do, about how long, and where its log is."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench import store
from bench.estimate import sum_up
from bench.grid import Grid
from bench.render.plan import summarize
from bench.settings import Settings
from tasks.common.parts import create_folder

LOGS = ".logs"
"""The hidden folder of log files, next to the suites' folders."""


def announce(
    settings: Settings,
    grid: Grid,
    expected: Mapping[str, float | None],
    console: Console,
    *,
    elsewhere: bool = False,
) -> Path | None:
    """Print the cells left and the time they will take; returns the run's log file.

    None where nothing is left to run. The log holds times, names of cells and their phases: no
    text of the data, no answers.

    Args:
        expected: what `bench.estimate.expect_seconds` says of the cells left.
        elsewhere: not processes of this machine run the cells, and their number isn't known yet.

    Raises StorageError where the runs' folder can't be written.
    """
    _, suite = settings.suite(grid.suite)
    workers = None if elsewhere else min(suite.workers, max(1, len(expected)))
    text = summarize(grid, sum_up(expected, workers or 1), workers)
    console.print(f"suite {grid.suite}: {text}", soft_wrap=True)
    if not expected:
        return None
    store.require_writable(settings.store.runs)
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder = settings.store.runs / LOGS
    try:
        create_folder(folder)
        file = folder / f"{grid.suite}-{started}-{os.getpid()}.log"
        file.write_text(f"suite {grid.suite}: {text}\n", encoding="utf-8")
    except OSError as error:
        raise store.storage_error(folder, error) from error
    console.print(f"log  {file}", soft_wrap=True)
    return file
