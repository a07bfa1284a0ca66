"""`bench data lamp-qa`: the files of LaMP-QA's authors as data in LaMP's layout."""

from pathlib import Path
from typing import Annotated

import typer

from bench.output import echo


def lamp_qa(
    folder: Annotated[
        Path, typer.Argument(help="The authors' files: holds Art_and_Entertainment and others.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; it must not exist yet.")],
) -> None:
    """Convert LaMP-QA's files, as the Hugging Face Hub has them, into LaMP's layout."""
    from tasks.data.authors_files import PROVENANCE
    from tasks.data.lamp_qa import convert_lamp_qa

    converted = convert_lamp_qa(folder, out)
    for found in converted:
        echo(f"{found.task} {found.set:5} {found.queries} questions, {found.items} past posts, "
             f"{found.aspects} aspects")  # fmt: skip
        for what, count in sorted(found.noticed.items()):
            echo(f"  {count} {what}")
    echo(f"Wrote {out}; see {out / PROVENANCE}")
    echo(f"Next: bench data verify {converted[0].task} --split user --root {out}")
