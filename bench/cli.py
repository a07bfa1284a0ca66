"""The command line. Commands import what they need, so that `bench --help` doesn't load torch."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_options import Format, Methods, Set, Suite, Tasks, UnequalTerms
from bench.cluster.options import Address, Engine, EngineOption, choose_engine
from bench.compare_cli import compare
from bench.data_cli import app as data_app
from bench.output import (
    echo,
    echo_error,
    explain_os_error,
    flush_or_exit,
    make_console,
    prepare_streams,
    write_output,
)
from bench.report.command import plot, report
from bench.results_cli import archive, remove, submission, verify
from bench.settings_cli import CONFIG, Config, init, list_names
from bench.texts_cli import attribution, texts
from bench.threads import wait_passively
from tasks.common.errors import BenchError, ConfigError
from tasks.common.paths import expand_argument

if TYPE_CHECKING:
    from bench.grid import Grid
    from bench.settings import Settings

app = typer.Typer(
    help="Compare ways to personalize a frozen LLM, on equal terms.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data_app, name="data")
app.command("list")(list_names)
app.command()(init)
app.command()(report)
app.command()(plot)
app.command()(compare)
app.command()(texts)
app.command()(attribution)
for command in (verify, remove, archive, submission):
    app.command()(command)

AllMetrics = Annotated[
    bool, typer.Option("--all-metrics", help="Every metric of a task, not only its primary one.")
]
INTERRUPTED = 130
"""Exit code of typer after Ctrl-C."""


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2, never a traceback."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' bars would break ours
    wait_passively()
    prepare_streams()
    try:
        app(args=[expand_argument(argument) for argument in sys.argv[1:]])
    except BenchError as error:
        echo_error(f"error: {error}", style="red")
        sys.exit(2)
    except OSError as error:
        explain_os_error(error)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            echo_error("stopped; finished cells are kept, run the same command to resume")
        flush_or_exit()
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
    all_metrics: AllMetrics = False,
    engine: EngineOption = Engine.LOCAL,
    address: Address = None,
    config: Config = CONFIG,
) -> None:
    """Run a suite's cells that are not done yet, store every prediction, print the table.

    To compute cells again, remove them first: `bench remove`. Exit code 1 if a cell failed.
    """
    from bench import render, tables
    from bench.announcing import announce
    from bench.cell import Outcome, State
    from bench.engine import run_grid
    from bench.estimate import expect_seconds

    run_cells = choose_engine(engine, address)
    log = make_console(stderr=True)
    with log.status("planning …"):  # in a terminal only
        settings, grid = _plan(suite, method, task, set, config)
        expected = expect_seconds(grid)
    file = announce(settings, grid, expected, log, elsewhere=run_cells is not None)

    def report(outcome: Outcome) -> None:
        if outcome.state != "kept":
            reason = " ".join(outcome.reason.split())
            line = f"{outcome.state}  {outcome.cell.title}  {reason}".rstrip()
            log.print(line, style="red" if outcome.state == "failed" else "", soft_wrap=True)

    outcomes = run_grid(settings, grid, log, report, expected=expected, log=file, engine=run_cells)
    states = [outcome.state for outcome in outcomes]
    table = tables.build(settings, grid, all_metrics=all_metrics, allow_unequal=True)
    render.print_table(table, make_console())
    shown = [State.DONE, State.KEPT, State.FAILED, *([State.BUSY] if "busy" in states else [])]
    log.print(", ".join(f"{states.count(state)} {state}" for state in shown))
    if "failed" in states:
        raise typer.Exit(1)


@app.command()
def plan(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    cells: Annotated[
        bool, typer.Option("--cells", help="List every cell with the key of its results.")
    ] = False,
    config: Config = CONFIG,
) -> None:
    """Show what is done, failed and left of a suite, and the time it will take. Runs nothing.

    Of a cell that must run although a result is stored in its place, it says what has changed.
    The time is that of finished cells, scaled to the number of queries and training examples.
    """
    from bench.changes import explain_left, summarize_left
    from bench.estimate import estimate_time_left
    from bench.render import plan as render

    settings, grid = _plan(suite, method, task, set, config)
    reasons = explain_left(grid)
    if cells:
        for line in render.list_cells(grid, reasons):
            echo(line)
    else:
        render.print_plan(grid, make_console())
        for line in summarize_left(list(reasons.values())):
            echo(line)
    workers = settings.suite(grid.suite)[1].workers
    echo(render.summarize(grid, estimate_time_left(grid, workers), workers))


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(help="A task, or a cell's key (see `bench plan --cells`).")
    ],
    id: Annotated[str | None, typer.Argument(help="An example's id; the first if omitted.")] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite", help="The suite of the task; keys are found in any suite's results."
        ),
    ] = None,
    method: Methods = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Show an example with its prompt per method, or a stored cell with its predictions."""
    from bench import inspection
    from bench.settings import load_settings

    settings = load_settings(config, set, suite)
    echo(inspection.describe(settings, suite, what, id, methods=method))


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
    echo(f"{rescore(settings, grid)} cells scored")


@app.command()
def table(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    format: Annotated[Format, typer.Option("--format", "-f")] = Format.TERMINAL,
    out: Annotated[Path | None, typer.Option(help="Write to a file instead.")] = None,
    all_metrics: AllMetrics = False,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Print the interval of each score.")
    ] = False,
    slice_by: Annotated[
        str | None,
        typer.Option(
            "--slice",
            metavar="BY",
            help="Scores by history (its length), activity, label or seen (users); k: learning "
            "curves of methods that the suite has at several k.",
        ),
    ] = None,
    unequal_terms: UnequalTerms = False,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Add what papers report for these tasks, apart and with its terms."
        ),
    ] = False,
    config: Config = CONFIG,
) -> None:
    """Render a suite's stored results. CSV always has intervals and denominators."""
    from bench import render, slices, store, tables

    settings, grid = _plan(suite, method, task, set, config)
    others = store.count_cells(settings.store.runs, grid.suite)
    if others and not any(store.is_done(cell.folder) for cell in grid.cells):
        echo_error(
            f"none of these cells is done; {others} cell{'s' * (others != 1)} of suite "
            f"{grid.suite!r} are stored under other settings: give the same --set, or see "
            f"`bench plan {grid.suite} --cells`"
        )
    if published and (slice_by is not None or format is Format.CSV):
        other = "--slice" if slice_by is not None else "--format csv"
        raise ConfigError(
            f"--published doesn't go with {other}",
            hint="Leave one out; bench.load_published() gives the published numbers as a DataFrame",
        )
    sections: list[tuple[Sequence[render.Sheet], Sequence[str]]] = []
    if slice_by is None:
        built = tables.build(settings, grid, all_metrics=all_metrics, allow_unequal=unequal_terms)
        sections.append((render.make_sheets(built, intervals=intervals), built.notes))
        if published:
            from bench.published import make_section

            section = make_section(settings, grid, built, all_metrics=all_metrics)
            sections.append((section.sheets, section.notes))
    else:
        sliced = slices.build(
            settings, grid, slice_by, all_metrics=all_metrics, allow_unequal=unequal_terms
        )
        sections.append((slices.make_sheets(sliced, intervals=intervals), sliced.notes))
    if format is Format.TERMINAL and out is None:
        for number, (sheets, notes) in enumerate(sections):
            echo("\n" * (number > 0), end="")
            render.print_sheets(sheets, notes, make_console())
        return
    if format is Format.CSV:
        text = render.to_csv(built, costs=True) if slice_by is None else slices.to_csv(sliced)
    else:
        write = {
            Format.TERMINAL: render.sheets_to_text,
            Format.MARKDOWN: render.sheets_to_markdown,
            Format.LATEX: render.sheets_to_latex,
        }[format]
        text = "\n".join(write(sheets, notes) for sheets, notes in sections)
    if out is None:
        echo(text, end="")
    else:
        write_output(out, text)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    suite: Suite = None,
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Write a finished suite's tables, scores, costs and provenance to a folder."""
    from bench import export as exporting

    settings, grid = _plan(suite, [], [], set, config)
    exporting.export(settings, grid, out)
    echo(f"written: {out}")


@app.command()
def check(
    method: Annotated[str, typer.Argument(help="A registered method or a variant.")],
    task: Tasks = [],  # noqa: B006
    data: Annotated[
        str | None,
        typer.Option(help="Check on the first examples of this [data.*] source."),
    ] = None,
    set: Set = [],  # noqa: B006
    config: Config = CONFIG,
) -> None:
    """Run the conformance suite on one method, with tiny random models. Exit code 1 if it fails.

    LaMP's tasks are checked on a generated sample, a task of your own on its data.
    """
    from bench.conformance.command import check_method
    from bench.settings import load_settings

    settings = load_settings(config, set)
    failed = 0
    for task_name, result in check_method(settings, method, task, data):
        state = "skip" if result.skipped else "pass" if result.passed else "FAIL"
        failed += not (result.skipped or result.passed)
        echo("  ".join(part for part in (state, task_name, result.name, result.detail) if part))
    if failed:
        raise typer.Exit(1)
