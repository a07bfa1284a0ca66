"""The command `bench data preview`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.output import echo
from bench.settings_cli import CONFIG, Config

Column = Annotated[str | None, typer.Option(help="The column's name (default: guessed).")]


def preview(
    what: Annotated[str, typer.Argument(help="A file, or a task that bench.toml declares.")],
    kind: Annotated[
        Literal["generation", "classification", "ordinal"] | None,
        typer.Option(help="What is answered: a text, a label, or a number (default: guessed)."),
    ] = None,
    user: Column = None,
    input: Column = None,
    output: Column = None,
    time: Column = None,
    id: Column = None,
    dates: Annotated[
        str | None, typer.Option(help='"day-first", "month-first", or a format like %d/%m/%Y.')
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a text file, such as cp1252.")] = None,
    split: Annotated[
        Literal["time", "user"], typer.Option(help="By time within each user, or by user.")
    ] = "time",
    rows: Annotated[int, typer.Option(help="How many of the first rows to show.", min=0)] = 5,
    config: Config = CONFIG,
) -> None:
    """Show what would be read of a table, what is wrong with it, and how to declare it as a task.

    Nothing is written or run. The options say what a file's columns are.
    """
    from bench.declaring import Preview, guess_declaration
    from bench.preview import describe
    from bench.settings import load_settings
    from tasks.common.errors import ConfigError
    from tasks.common.paths import expand_home
    from tasks.common.registry import did_you_mean

    settings = load_settings(config)
    if what in settings.tasks:
        shown = Preview(what, settings.tasks[what], frozenset())
        declared = True
    elif settings.tasks and not expand_home(Path(what)).exists():
        raise ConfigError(
            f"{what!r} is neither a file nor a task that bench.toml declares",
            hint=did_you_mean(what, list(settings.tasks)),
        )
    else:
        given = {
            "kind": kind, "user": user, "input": input, "output": output, "time": time, "id": id,
            "dates": dates, "encoding": encoding,
        }  # fmt: skip
        shown = guess_declaration(expand_home(Path(what)), given)
        declared = False
    place = config or Path("bench.toml")
    for line in describe(shown, rows, split, config=place, declared=declared):
        echo(line)
