"""`bench data git`: the histories of git repositories as data in LaMP's layout."""

from pathlib import Path
from typing import Annotated

import typer

from bench.output import echo

FEW_AUTHORS = 20


def git(
    repositories: Annotated[
        list[Path], typer.Argument(help="Folders of git repositories.", metavar="REPO…")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; it must not exist yet.")],
    dev: Annotated[int, typer.Option(min=1, help="Dev queries: each author's last commits.")] = 2,
    train: Annotated[int, typer.Option(min=1, help="Train queries: the commits before.")] = 4,
    min_history: Annotated[
        int, typer.Option(min=1, help="Earlier commits that each query needs.")
    ] = 4,
    max_history: Annotated[
        int, typer.Option(min=1, help="The newest of them that a history keeps.")
    ] = 25,
    max_authors: Annotated[
        int | None, typer.Option(min=1, help="Only the authors with the most commits.")
    ] = None,
    max_characters: Annotated[int, typer.Option(min=1, help="Longest text.")] = 1200,
) -> None:
    """Make LaMP-6-shaped data of git histories: from what a commit says to its subject, by author.

    Reads the commits of each repository's current branch and changes nothing there.
    """
    from tasks.data.git.sets import GitRules
    from tasks.data.git.writer import PROVENANCE, write_git

    rules = GitRules(
        dev=dev,
        train=train,
        min_history=min_history,
        max_history=max_history,
        max_authors=max_authors,
        max_characters=max_characters,
    )
    found = write_git(repositories, out, rules)
    for repository in found["repositories"]:
        echo(f"{repository['name']}: {repository['commits']} commits at {repository['head'][:12]}")
    for reason, count in found["left_out"].items():
        echo(f"  left out: {count} {reason}")
    queries = found["queries"]
    echo(
        f"Wrote {out}: {found['authors']} authors, {queries['train']} train and {queries['dev']} "
        f"dev queries, histories of {found['history_median']['dev']:g} commits (median); "
        f"see {out / PROVENANCE}"
    )
    if found["authors"] < FEW_AUTHORS:
        echo(
            f"warning: intervals resample authors, and {found['authors']} are few; name more "
            "repositories, or lower --min-history"
        )
    echo(f"Next: bench data verify LaMP-6 --split time --root {out}")
