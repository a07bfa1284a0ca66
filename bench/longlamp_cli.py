"""`bench data longlamp`: the files of LongLaMP's authors as data in LaMP's layout."""

from pathlib import Path
from typing import Annotated

import typer

from bench.output import echo


def longlamp(
    folder: Annotated[
        Path, typer.Argument(help="The authors' files: holds abstract_generation_user and others.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; it must not exist yet.")],
) -> None:
    """Convert LongLaMP's files, as the Hugging Face Hub has them, into LaMP's layout."""
    from tasks.data.authors_files import PROVENANCE
    from tasks.data.longlamp import convert_longlamp

    converted = convert_longlamp(folder, out)
    for found in converted:
        echo(f"{found.task} ({found.split} split) {found.set:5} {found.queries} queries, "
             f"{found.items} items in their histories")  # fmt: skip
        for reason, count in sorted(found.left_out.items()):
            echo(f"  left out: {count} {reason}")
    echo(f"Wrote {out}; see {out / PROVENANCE}")
    first = converted[0]
    echo(f"Next: bench data verify {first.task} --split {first.split} --root {out}")
