"""Commands on what is stored: `bench verify`, `remove`, `archive` and `submission`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_options import Tasks
from bench.output import echo, echo_error
from bench.settings_cli import CONFIG, Config

if TYPE_CHECKING:
    from bench.removal import Outcome, StoredCell
    from bench.settings import Settings

OneSuite = Annotated[str, typer.Argument(help="The suite whose results it is about.")]
Methods = Annotated[
    list[str],
    typer.Option("-m", "--method", help="Only this row, as in tables (repeatable)."),
]
Keys = Annotated[
    list[str],
    typer.Option("--key", help="Only the cell of this key, see `bench plan --cells` (repeatable)."),
]
Set = Annotated[
    list[str], typer.Option("--set", help="Override a key, e.g. store.runs=results/old.")
]
Damaged = Annotated[bool, typer.Option("--damaged", help="Only cells with a damaged file.")]
Unplanned = Annotated[
    bool,
    typer.Option(
        "--unplanned", help="Only cells that the suite no longer names: of other settings."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
SHOWN = 10
"""Cells that are listed before the question."""


def verify(
    suite: Annotated[
        str | None, typer.Argument(help="A suite; the default one if omitted.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Also compare a folder that `bench export` wrote, number by number."),
    ] = None,
    set: Set = [],  # noqa: B006  typer's way to declare a repeatable option
    config: Config = CONFIG,
) -> None:
    """Derive every stored number of a suite again from its predictions. Changes nothing.

    Compares all files with their checksums. Exit code 1 if anything differs.
    """
    from bench.grid import plan
    from bench.settings import load_settings
    from bench.verifying import Count, verify_cells, verify_export

    settings = load_settings(config, set, suite)
    grid, count, findings = plan(settings, suite), Count(), 0
    for finding in verify_cells(settings, grid, count):
        echo(f"{finding.file}: {finding.problem}")
        findings += 1
    if export is not None and not findings:
        for finding in verify_export(settings, grid, export, count):
            echo(f"{finding.file}: {finding.problem}")
            findings += 1
    left = len(grid.cells) - count.cells
    echo(
        f"{count.cells} cells{f' ({left} not done)' if left else ''}, {count.files} files, "
        f"{count.numbers} numbers derived again: "
        + (f"{findings} difference{'s' * (findings != 1)}" if findings else "all as stored")
    )
    if findings:
        raise typer.Exit(1)


def remove(
    suite: OneSuite,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    key: Keys = [],  # noqa: B006
    damaged: Damaged = False,
    unplanned: Unplanned = False,
    yes: Yes = False,
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Remove stored cells of a suite, under whatever settings they ran, so that they run again.

    Asks first. Cells that a process is running are left alone. What methods learned stays in
    store.cache, so a cell that runs again doesn't train again.
    """
    from bench import removal

    settings, cells = _choose(
        suite, method, task, key, damaged=damaged, unplanned=unplanned, set=set, config=config
    )
    if cells and _confirm(cells, "Remove", yes=yes):
        _report(removal.remove(cells, settings.store.cache), "removed")


def archive(
    out: Annotated[
        Path, typer.Argument(help="A new .tar.gz, .tgz or .tar file, or a folder to move them to.")
    ],
    suite: OneSuite,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    key: Keys = [],  # noqa: B006
    damaged: Damaged = False,
    unplanned: Unplanned = False,
    yes: Yes = False,
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Move stored cells of a suite to an archive; a folder can be read by `store.runs`.

    Asks first. Cells that a process is running are left alone.
    """
    from bench import removal

    settings, cells = _choose(
        suite, method, task, key, damaged=damaged, unplanned=unplanned, set=set, config=config
    )
    if cells and _confirm(cells, f"Move to {out}", yes=yes):
        _report(removal.archive(cells, out, settings.store.cache), f"moved to {out}")


def submission(
    out: Annotated[Path, typer.Argument(help="The folder to write the zip files to.")],
    suite: Annotated[
        str | None, typer.Argument(help="A suite; the default one if omitted.")
    ] = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Write stored predictions in the format of LaMP's leaderboard: a zip for each row and seed."""
    from bench.grid import plan
    from bench.settings import load_settings
    from bench.submissions import write_submissions

    settings = load_settings(config, set, suite)
    for path in write_submissions(plan(settings, suite, methods=method, tasks=task), out):
        echo(f"written: {path}")


def _choose(
    suite: str,
    methods: list[str],
    tasks: list[str],
    keys: list[str],
    *,
    damaged: bool,
    unplanned: bool,
    set: list[str],
    config: Path | None,
) -> "tuple[Settings, list[StoredCell]]":
    from bench import removal
    from bench.grid import plan
    from bench.settings import load_settings

    settings = load_settings(config, set)
    cells = removal.find_stored(settings.store.runs, suite, methods=methods, tasks=tasks, keys=keys)
    if unplanned:
        planned = {cell.folder for cell in plan(settings, suite).cells}
        cells = [cell for cell in cells if cell.folder not in planned]
    if damaged:
        cells = [cell for cell in cells if removal.is_damaged(cell)]
    if not cells:
        echo("no such cells are stored")
    return settings, cells


def _confirm(cells: "list[StoredCell]", what: str, *, yes: bool) -> bool:
    """Ask on a terminal. Raises ConfigError elsewhere, unless told not to ask."""
    from tasks.common.errors import ConfigError

    for cell in cells[:SHOWN]:
        echo(f"  {cell.title}")
    if len(cells) > SHOWN:
        echo(f"  … and {len(cells) - SHOWN} more")
    size = sum(cell.bytes for cell in cells) / 1e6
    question = f"{what}: {len(cells)} cell{'s' * (len(cells) != 1)}, {size:.1f} MB"
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(f"{question}: nothing was done", hint="Give --yes to do it unasked")
    return typer.confirm(f"{question}?")


def _report(outcome: "Outcome", done: str) -> None:
    echo(f"{len(outcome.done)} cell{'s' * (len(outcome.done) != 1)} {done}")
    for cell in outcome.busy:
        echo_error(f"left alone, because a process is running it: {cell.title}")
