"""`bench compare`: one row against another, in words and numbers."""

from typing import Annotated

import typer

from bench.cli_options import SetAsRun, Suite, Tasks, UnequalTerms
from bench.output import echo
from bench.settings_cli import CONFIG, Config


def compare(
    ours: Annotated[str, typer.Argument(metavar="A", help="A method, of the suite or not.")],
    theirs: Annotated[str, typer.Argument(metavar="B", help="The method that A is compared with.")],
    suite: Suite = None,
    task: Tasks = [],  # noqa: B006  typer's way to declare a repeatable option
    set: SetAsRun = [],  # noqa: B006
    unequal_terms: UnequalTerms = False,
    config: Config = CONFIG,
) -> None:
    """Say whether A is better than B on stored results: difference, interval, p, sample needed.

    One pair alone is not corrected for the other rows of its table; several tasks are corrected for
    each other.
    """
    from bench.compare import compare_methods, describe_pairs
    from bench.grid import plan
    from bench.settings import load_settings

    settings = load_settings(config, set, suite)
    grid = plan(settings, suite, methods=[ours, theirs], tasks=task)
    pairs = compare_methods(settings, grid, ours, theirs, allow_unequal=unequal_terms)
    echo(describe_pairs(pairs))
