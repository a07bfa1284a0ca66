"""Options that several commands share, so that they read the same everywhere."""

from enum import StrEnum
from typing import Annotated

import typer

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
SetAsRun = Annotated[
    list[str],
    typer.Option("--set", help="Override a key, as for the run whose results are analyzed."),
]
UnequalTerms = Annotated[
    bool,
    typer.Option(
        "--unequal-terms", help="Also show cells in which an LLM ran under other terms, and say so."
    ),
]


class Format(StrEnum):
    """Formats of a table."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
