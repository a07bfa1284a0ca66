"""Finds the files of a set in LaMP's official folder layout and its variants."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.common.errors import DataError
from tasks.lamp import is_official
from tasks.task import Task

SplitName = Literal["user", "time"]
"""LaMP's two ways to divide the data: by user, or by time within each user."""
SetName = Literal["train", "dev", "test"]
"""A split has three sets."""
SETS: tuple[SetName, ...] = ("train", "dev", "test")


@dataclass(frozen=True)
class SetFiles:
    """The two files of a set; `outputs` is None for a test set without golds."""

    questions: Path
    outputs: Path | None


def candidate_folders(task: Task, root: Path, split: SplitName, set: SetName) -> Iterator[Path]:
    """Folders that may contain a set, in the order they are searched.

    These are `<root>/<split>/<task.folder>/<set>`, the same without `<set>`, and `<root>` itself.
    LaMP-2, whose folder is `LaMP_2/new`, may also use plain `LaMP_2`; the news files that the
    official site keeps there are recognized by their inputs.
    """
    for folder in dict.fromkeys((task.folder, task.folder.split("/")[0])):
        yield root / split / folder / set
        yield root / split / folder
    yield root


def find_files(task: Task, root: Path, split: SplitName, set: SetName) -> SetFiles:
    """Find the files of a set. Raises DataError if questions or outputs are missing."""
    folders = list(candidate_folders(task, root, split, set))
    for folder in folders:
        questions, outputs = (folder / f"{set}_{kind}.json" for kind in ("questions", "outputs"))
        if not questions.exists() and not outputs.exists():
            continue
        for path, other in ((questions, outputs), (outputs, questions)):
            if not path.exists() and not (set == "test" and path == outputs):
                raise DataError(
                    f"is missing, although {other.name} exists",
                    file=path,
                    hint="Put both files of the set in one folder"
                    + (f", or run `bench data download {task.name}`" if is_official(task) else ""),
                )
        return SetFiles(questions, outputs if outputs.exists() else None)
    raise DataError(
        f"found no {set} set of {task.name} ({split} split) in any of: "
        + ", ".join(str(folder) for folder in folders),
        file=folders[0] / f"{set}_questions.json",
        hint=(f"Run `bench data download {task.name}`, or set" if is_official(task) else "Set")
        + " the data root to the folder that contains user/ and time/",
    )
