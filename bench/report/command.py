"""`bench report` and `bench plot`."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import Methods, Set, Suite, Tasks, UnequalTerms
from bench.output import echo
from bench.settings_cli import CONFIG, Config
from tasks.common.errors import ConfigError

KIND_HELP = (
    "forest, pareto, dial or cold-start; if omitted, the dial where the suite has several data "
    "sources, else the forest plot."
)


def report(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006  typer's way to declare a repeatable option
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    examples: Annotated[
        int | None, typer.Option(min=1, help="Most examples of a task (200 if omitted).")
    ] = None,
    no_examples: Annotated[
        bool, typer.Option("--no-examples", help="Leave out every text of the data.")
    ] = False,
    unequal_terms: UnequalTerms = False,
    config: Config = CONFIG,
) -> None:
    """Write a suite's stored results as one HTML page: the answer, figures, tables, examples."""
    from bench.grid import plan
    from bench.report.build import write_report
    from bench.report.examples import MOST
    from bench.settings import load_settings

    if no_examples and examples is not None:
        raise ConfigError("--examples and --no-examples exclude each other", hint="Give one")
    settings = load_settings(config, set, suite)
    grid = plan(settings, suite, methods=method, tasks=task)
    most = 0 if no_examples else examples or MOST
    write_report(settings, grid, out, examples=most, unequal_terms=unequal_terms)
    echo(f"written: {out}")


def plot(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: Set = [],  # noqa: B006
    kind: Annotated[str | None, typer.Option("--kind", "-k", help=KIND_HELP)] = None,
    view: Annotated[
        str | None, typer.Option(help="One of the choices that the report offers above the figure.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The picture: .svg, .png, .pdf …")] = Path("plot.svg"),
    unequal_terms: UnequalTerms = False,
    config: Config = CONFIG,
) -> None:
    """Draw one figure of a suite's report to a file, one panel per task."""
    from bench.grid import plan
    from bench.report.plotting import plot as write_plot
    from bench.settings import load_settings

    settings = load_settings(config, set, suite)
    grid = plan(settings, suite, methods=method, tasks=task)
    write_plot(settings, grid, out, kind=kind, view=view, unequal_terms=unequal_terms)
    echo(f"written: {out}")
