"""`bench list` and `bench init`, and the option that every command reads its settings by."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.output import echo, make_console

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Your settings; if omitted, bench.toml of this folder, if any."),
]
CONFIG = None


class Section(StrEnum):
    """What `bench list` shows."""

    TASKS = "tasks"
    METHODS = "methods"
    VARIANTS = "variants"
    POOLS = "pools"
    DATA = "data"
    LLMS = "llms"
    ENCODERS = "encoders"
    SUITES = "suites"


def list_names(
    section: Annotated[Section | None, typer.Argument(help="Only this section.")] = None,
    config: Config = CONFIG,
) -> None:
    """List tasks, methods, and everything that the settings name, with a line about each."""
    from bench.listing import describe
    from bench.settings import load_settings

    out = make_console()
    for title, entries in describe(load_settings(config)).items():
        if section in (None, title) and entries:
            out.print(title, style="bold")
            width = max(map(len, entries))
            for name, text in entries.items():
                out.print(f"  {name:{width}}  {text}".rstrip(), soft_wrap=True)


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("bench.toml"),
) -> None:
    """Write a commented bench.toml to start from; never overwrites an existing file."""
    from bench.settings.starter import write_starter

    write_starter(file)
    echo(f"written: {file}; next: bench run")
