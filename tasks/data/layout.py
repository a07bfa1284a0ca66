"""Where the files of a set lie, in LaMP's official layout and its variants."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.common.errors import DataError
from tasks.task import Task

SplitName = Literal["user", "time"]
SetName = Literal["train", "dev", "test"]
SETS: tuple[SetName, ...] = ("train", "dev", "test")


@dataclass(frozen=True)
class Files:
    """The files of one set; `outputs` is None for a test set without golds."""

    questions: Path
    outputs: Path | None


def places(task: Task, root: Path, split: SplitName, set: SetName) -> Iterator[Path]:
    """Folders where a set may lie, in the order tried.

    `<root>/<split>/<task.folder>/<set>`, the same without `<set>`; for LaMP-2, whose folder is
    `LaMP_2/new`, plain `LaMP_2` too (its news files are told apart by their inputs); then `<root>`
    itself, holding the files flat.
    """
    for folder in dict.fromkeys((task.folder, task.folder.split("/")[0])):
        yield root / split / folder / set
        yield root / split / folder
    yield root


def find_files(task: Task, root: Path, split: SplitName, set: SetName) -> Files:
    """The files of a set. Raises DataError where questions or outputs are missing."""
    tried = list(places(task, root, split, set))
    for folder in tried:
        questions, outputs = (folder / f"{set}_{kind}.json" for kind in ("questions", "outputs"))
        if not questions.exists() and not outputs.exists():
            continue
        for path, other in ((questions, outputs), (outputs, questions)):
            if not path.exists() and not (set == "test" and path == outputs):
                raise DataError(
                    f"missing, though {other.name} is there",
                    file=path,
                    hint="Put both files of the set side by side, or run `bench data download "
                    f"{task.name}`",
                )
        return Files(questions, outputs if outputs.exists() else None)
    raise DataError(
        f"no {set} set of {task.name} ({split} split) in any of: "
        + ", ".join(str(folder) for folder in tried),
        file=tried[0] / f"{set}_questions.json",
        hint=f"Run `bench data download {task.name}`, or set the data root to the folder that "
        "holds user/ and time/",
    )
