"""The command line. Imports stand inside the commands: `bench --help` must not wait for torch."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.data_cli import app as data_app
from bench.settings_cli import CONFIG, Config, init, list_names
from tasks.common.errors import BenchError

if TYPE_CHECKING:
    from bench.grid import Grid
    from bench.settings import Settings

app = typer.Typer(
    help="Compare ways to personalize a frozen LLM, at equal terms.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_app, name="data")
app.command("list")(list_names)
app.command()(init)

Suite = Annotated[
    str | None,
    typer.Argument(help="A suite (see `bench list suites`); the default one if omitted."),
]
Methods = Annotated[
    list[str],
    typer.Option("-m", "--method", help="Only this method, of the suite or not (repeatable)."),
]
Tasks = Annotated[list[str], typer.Option("-t", "--task", help="Only this task (repeatable).")]
Set = Annotated[
    list[str], typer.Option("--set", help="Override a key, e.g. methods.bm25.k=2 or seeds=[0,1].")
]
INTERRUPTED = 130
"""The exit code that typer gives Ctrl-C."""


class Format(StrEnum):
    """Table formats."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2, never a traceback."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' bars would break ours
    try:
        app()
    except BenchError as error:
        typer.secho(f"error: {error}", err=True, fg="red")
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.secho("stopped; what is done is kept, run it again to go on", err=True)
        raise


def _plan(
    suite: str | None,
    methods: list[str],
    tasks: list[str],
    overrides: list[str],
    config: Path | None,
) -> "tuple[Settings, Grid]":
    from bench.grid import plan
    from bench.settings import load_settings

    settings = load_settings(config, overrides, suite)
    return settings, plan(settings, suite, methods=methods, tasks=tasks)


@app.command()
def run(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006  typer's way to declare a repeatable option
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Run a suite's cells that are not done yet, store every prediction, print the table.

    To compute a cell again, delete its folder (`bench show KEY`). Exit code 1 if a cell failed.
    """
    from rich.console import Console

    from bench import render, tables
    from bench.cell import Outcome
    from bench.engine import run_grid

    settings, grid = _plan(suite, method, task, set, config)
    out, log = Console(), Console(stderr=True)

    def tell(outcome: Outcome) -> None:
        if outcome.state != "kept":
            style = "red" if outcome.state == "failed" else ""
            text = f"{outcome.state}  {outcome.cell.title}  {outcome.reason}".rstrip()
            log.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    outcomes = run_grid(settings, grid, log, tell)
    states = [outcome.state for outcome in outcomes]
    render.to_console(tables.build(settings, grid), out)
    shown = ["done", "kept", "failed", *(["busy"] if "busy" in states else [])]
    log.print(", ".join(f"{states.count(state)} {state}" for state in shown))
    if "failed" in states:
        raise typer.Exit(1)


@app.command()
def plan(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Show a suite's cells: what is done, what failed, what is left. Computes nothing."""
    from rich.console import Console

    from bench import store

    _, grid = _plan(suite, method, task, set, config)
    out = Console()
    left = 0
    for cell in grid.cells:
        done = store.is_done(cell.folder)
        failed = store.error_file(cell.folder).is_file()
        left += not done
        state = "done  " if done else "failed" if failed else "left  "
        out.print(f"{state} {cell.key}  {cell.title}", highlight=False, soft_wrap=True)
    for row, task_name in grid.inapplicable:
        out.print(f"not applicable: {row} on {task_name}", highlight=False)
    out.print(f"{len(grid.cells)} cells, {left} left", highlight=False)


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="A task, or a cell's key (see `bench plan`).")],
    id: Annotated[str | None, typer.Argument(help="An example's id; the first if omitted.")] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="The suite to look in.")] = None,
    method: Methods = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Show an example with its prompt per method, or a stored cell with its predictions."""
    from bench import inspection
    from bench.settings import load_settings

    settings = load_settings(config, set, suite)
    typer.echo(inspection.describe(settings, suite, what, id, methods=method))


@app.command()
def score(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Score stored predictions again with the current settings and metrics; opens no model."""
    from bench.scoring import rescore

    settings, grid = _plan(suite, method, task, set, config)
    typer.echo(f"{rescore(settings, grid)} cells scored")


@app.command()
def table(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    format: Annotated[Format, typer.Option("--format", "-f")] = Format.TERMINAL,
    out: Annotated[Path | None, typer.Option(help="Write to a file instead.")] = None,
    all_metrics: Annotated[bool, typer.Option(help="Every metric, not just two.")] = False,
    intervals: Annotated[bool, typer.Option(help="Print the intervals.")] = False,
    config: Config = CONFIG,
) -> None:
    """Render a suite's stored results. CSV always carries intervals and denominators."""
    from rich.console import Console

    from bench import render, tables
    from tasks.common.files import write_text

    settings, grid = _plan(suite, method, task, set, config)
    built = tables.build(settings, grid, all_metrics=all_metrics)
    if format is Format.TERMINAL and out is None:
        render.to_console(built, Console(), intervals=intervals)
        return
    text = {
        Format.TERMINAL: render.plain,
        Format.MARKDOWN: render.markdown,
        Format.LATEX: render.latex,
        Format.CSV: render.long_csv,
    }[format](built, intervals=intervals)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    suite: Suite = None,
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Write a finished suite's tables, scores, costs and provenance to a folder to be kept."""
    from bench import export as exporting

    settings, grid = _plan(suite, [], [], set, config)
    exporting.export(settings, grid, out)
    typer.echo(f"written: {out}")


@app.command()
def plot(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="The picture: .svg, .png, .pdf …")] = Path("plot.svg"),
    config: Config = CONFIG,
) -> None:
    """Draw a suite's stored results against its data sources, a panel for each task."""
    from bench.plot import draw

    settings, grid = _plan(suite, method, task, set, config)
    draw(settings, grid, out)
    typer.echo(f"written: {out}")


@app.command()
def check(
    method: Annotated[str, typer.Argument(help="A registered method or a variant.")],
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Run the conformance suite on one method, with tiny random models. Exit code 1 if it fails."""
    from bench.conformance_run import check_method
    from bench.settings import load_settings

    settings = load_settings(config, set)
    failed = 0
    for task_name, result in check_method(settings, method, task):
        state = "skip" if result.skipped else "pass" if result.passed else "FAIL"
        failed += not (result.skipped or result.passed)
        typer.echo(f"{state}  {task_name}  {result.name}  {result.detail}".rstrip())
    if failed:
        raise typer.Exit(1)
