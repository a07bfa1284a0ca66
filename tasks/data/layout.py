"""Finds the files of a set in LaMP's official folder layout and its variants."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.common.errors import DataError
from tasks.common.paths import expand_home, find_kind, require_file
from tasks.lamp import is_official
from tasks.task import Task

SplitName = Literal["user", "time"]
"""LaMP's two ways to divide the data: by user, or by time within each user."""
SetName = Literal["train", "dev", "test"]
"""A split has three sets."""
MANIFEST = "SHA256.json"
"""What `bench data download` writes next to a task's files: their sizes and hashes."""
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
    root = expand_home(root)
    for folder in dict.fromkeys((task.folder, task.folder.split("/")[0])):
        yield root / split / folder / set
        yield root / split / folder
    yield root


def exists(path: Path) -> bool:
    """Whether something lies at a path. Raises DataError if that can't be told."""
    try:
        return find_kind(path) is not None
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})",
            file=path,
            hint="Make the folder readable, or name another root",
        ) from error


def is_downloaded(task: Task, root: Path, split: SplitName) -> bool:
    """Whether a task's files are LaMP's own, which can be downloaded again.

    Files of the same form without the manifest of a download are the user's.
    """
    return is_official(task) and exists(expand_home(root) / split / task.folder / MANIFEST)


def find_files(task: Task, root: Path, split: SplitName, set: SetName) -> SetFiles:
    """Find the files of a set. Raises DataError if questions or outputs are missing."""
    folders = list(candidate_folders(task, root, split, set))
    official = is_downloaded(task, root, split)
    for folder in folders:
        questions, outputs = (folder / f"{set}_{kind}.json" for kind in ("questions", "outputs"))
        if not exists(questions) and not exists(outputs):
            continue
        for path, other in ((questions, outputs), (outputs, questions)):
            if not exists(path) and not (set == "test" and path == outputs):
                raise DataError(
                    f"is missing, although {other.name} exists",
                    file=path,
                    hint="Put both files of the set in one folder"
                    + (f", or run `bench data download {task.name}`" if official else ""),
                )
        for path in (questions, outputs):
            require_file(path, DataError, "Put the JSON file itself there")
        return SetFiles(questions, outputs if exists(outputs) else None)
    raise DataError(
        f"found no {set} set of {task.name} ({split} split) in any of: "
        + ", ".join(str(folder) for folder in folders),
        file=folders[0] / f"{set}_questions.json",
        hint="Set the data root to the folder that contains user/ and time/"
        + (f"; for LaMP's files: `bench data download {task.name}`" if is_official(task) else ""),
    )
