"""`bench texts` and `bench attribution`: what the stored texts are like, beside their scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_options import Format, Methods, SetAsRun, Suite, Tasks, UnequalTerms
from bench.output import echo, make_console, write_output
from bench.settings_cli import CONFIG, Config

if TYPE_CHECKING:
    from bench.texts import TextTable

Out = Annotated[Path | None, typer.Option(help="Write to a file instead.")]


FormatOption = Annotated[Format, typer.Option("--format", "-f")]


def texts(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006  typer's way to declare a repeatable option
    task: Tasks = [],  # noqa: B006
    set: SetAsRun = [],  # noqa: B006
    format: FormatOption = Format.TERMINAL,
    out: Out = None,
    unequal_terms: UnequalTerms = False,
    config: Config = CONFIG,
) -> None:
    """Show length ratio and self-copying of stored texts; opens no model.

    Neither is better when higher: a length ratio is best at 1, and copying is compared with what
    the users copy from themselves and with copying from another user's history.
    """
    from bench.grid import plan
    from bench.settings import load_settings
    from bench.texts import build_texts

    settings = load_settings(config, set, suite)
    grid = plan(settings, suite, methods=method, tasks=task)
    show_table(build_texts(settings, grid, allow_unequal=unequal_terms), format, out)


def attribution(
    suite: Suite = None,
    method: Methods = [],  # noqa: B006
    task: Tasks = [],  # noqa: B006
    set: SetAsRun = [],  # noqa: B006
    distractors: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Compare each text with its user and this many others only: those whose past "
            "texts are nearest to the query, so that its topic helps less.",
        ),
    ] = None,
    format: FormatOption = Format.TERMINAL,
    out: Out = None,
    unequal_terms: UnequalTerms = False,
    config: Config = CONFIG,
) -> None:
    """Show how often stored texts are nearest to their own user's past texts; opens no model.

    By character n-grams, between a ceiling (the users' own golds) and a floor (other users' golds),
    beside a swapped user and beside the reference, which knows no user.
    """
    from bench.grid import plan
    from bench.settings import load_settings
    from bench.texts import build_attribution

    settings = load_settings(config, set, suite)
    grid = plan(settings, suite, methods=method, tasks=task)
    table = build_attribution(settings, grid, distractors=distractors, allow_unequal=unequal_terms)
    show_table(table, format, out)


def show_table(table: "TextTable", format: Format, out: Path | None) -> None:
    """Print an analysis of texts in a format, or write it to a file."""
    from bench import render
    from bench import texts as analysis

    sheets, notes = analysis.make_sheets(table), table.notes
    if format is Format.TERMINAL and out is None:
        render.print_sheets(sheets, notes, make_console())
        return
    if format is Format.CSV:
        text = analysis.to_csv(table)
    else:
        write = {
            Format.TERMINAL: render.sheets_to_text,
            Format.MARKDOWN: render.sheets_to_markdown,
            Format.LATEX: render.sheets_to_latex,
        }[format]
        text = write(sheets, notes)
    if out is None:
        echo(text, end="")
    else:
        write_output(out, text)
