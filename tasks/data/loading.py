"""Official LaMP files → a Dataset."""

from pathlib import Path
from typing import Literal

from tasks.common.files import content_key, sha256_of
from tasks.data.document import read_json
from tasks.data.layout import SetName, SplitName, find_files
from tasks.data.validation import example, gold_outputs, match_ids, question_rows
from tasks.example import Behavior, Dataset
from tasks.task import Task

KNOWN_FAULTS: dict[tuple[str, str, str], dict[str, str]] = {
    ("LaMP-2", "user", "dev"): {"110": "its input is corrupted in the official file"},
}
"""(task, split, set) → id → what is wrong with the official row (methods.md §3c)."""


def load_dataset(
    task: Task,
    root: Path,
    *,
    split: SplitName,
    set: SetName,
    limit: int | None = None,
    known_faults: Literal["keep", "drop"] = "drop",
) -> Dataset:
    """Read and check one set.

    Args:
        root: holds `<split>/LaMP_k/<set>/<set>_{questions,outputs}.json`, or see `places`.
        limit: the first so many examples only (both files are still checked for matching ids).
        known_faults: "drop" leaves out the rows of `KNOWN_FAULTS`, "keep" asks and scores them as
            they stand.

    Returns:
        Dataset with `golds=None` for a test set without outputs. A row without `user_id` is its own
        user. An id that repeats within a profile becomes `id#2`, `id#3`, …

    Raises:
        DataError: any fault of the files, naming file, id and hint.
    """
    files = find_files(task, root, split, set)
    document = read_json(files.questions)
    rows = question_rows(document)
    digests = [document.sha256]
    golds: dict[str, str] | None = None
    if files.outputs is not None:
        outputs = read_json(files.outputs)
        golds = gold_outputs(outputs, task)
        digests.append(outputs.sha256)
        match_ids(document, rows, golds)

    known = KNOWN_FAULTS.get((task.name, split, set), {})
    faulty = rows.keys() & known.keys()
    if known_faults == "drop":
        rows = {id: row for id, row in rows.items() if id not in faulty}
    seen: dict[Behavior, Behavior] = {}
    examples = tuple(
        example(row, id, task, document, seen, corrupt=id in faulty)
        for id, row in list(rows.items())[:limit]
    )
    return Dataset(
        task=task.name,
        set=set,
        examples=examples,
        golds=None if golds is None else {item.id: golds[item.id] for item in examples},
        fingerprint=_fingerprint(digests, limit, known_faults if known else None),
    )


def fingerprint(
    task: Task,
    root: Path,
    *,
    split: SplitName,
    set: SetName,
    limit: int | None = None,
    known_faults: Literal["keep", "drop"] = "drop",
) -> str:
    """The `fingerprint` that `load_dataset` would give, from the files' bytes, without parsing.

    Raises DataError where questions or outputs are missing.
    """
    files = find_files(task, root, split, set)
    digests = [sha256_of(path) for path in (files.questions, files.outputs) if path is not None]
    known = KNOWN_FAULTS.get((task.name, split, set))
    return _fingerprint(digests, limit, known_faults if known else None)


def _fingerprint(digests: list[str], limit: int | None, known_faults: str | None) -> str:
    """A hash of the files' digests and of what was asked of them."""
    return content_key([digests, limit, known_faults], length=64)
