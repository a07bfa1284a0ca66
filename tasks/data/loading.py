"""Loads files in LaMP's format as a Dataset."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tasks.common.files import content_key, sha256_of
from tasks.data.document import read_json
from tasks.data.finding import Finding
from tasks.data.layout import SetName, SplitName, find_files, is_downloaded
from tasks.data.normalizing import describe_spelling, normalize
from tasks.data.validation import build_example, match_ids, read_golds, read_questions
from tasks.example import Behavior, Dataset
from tasks.task import Task

KNOWN_FAULTS: dict[tuple[str, str, str], dict[str, str]] = {
    ("LaMP-2", "user", "dev"): {"110": "its input is corrupted in the official file"},
}
"""(task, split, set) → example id → what is wrong with the official row (methods.md §3c)."""


@dataclass(frozen=True)
class Loaded:
    """A data set, and what was noticed while it was read."""

    dataset: Dataset
    findings: tuple[Finding, ...]


def load_dataset(
    task: Task,
    root: Path,
    *,
    split: SplitName,
    set: SetName,
    limit: int | None = None,
    known_faults: Literal["keep", "drop"] = "drop",
    dates: str | None = None,
) -> Dataset:
    """Load and check one set.

    Args:
        root: contains `<split>/LaMP_k/<set>/<set>_{questions,outputs}.json`; for other layouts, see
            `tasks.data.layout.candidate_folders`.
        limit: load only the first `limit` examples; the ids of both files are still compared.
        known_faults: "drop" leaves out the rows in `KNOWN_FAULTS`; "keep" treats them like others.
        dates: how dates are written: "day-first", "month-first" or a `strptime` format; None:
            recognized from all dates of the file (`tasks.common.dates`).

    Returns:
        The Dataset, with `golds=None` for a test set without outputs. A row without `user_id` gets
        a user of its own. Ids that repeat within a profile become `id#2`, `id#3`, … Dates are in
        ISO 8601, labels as the task spells them.

    Raises:
        DataError: a file is missing or faulty.
        ConfigError: `dates` is no format.
    """
    return read_set(
        task, root, split=split, set=set, limit=limit, known_faults=known_faults, dates=dates
    ).dataset


def read_set(
    task: Task,
    root: Path,
    *,
    split: SplitName,
    set: SetName,
    limit: int | None = None,
    known_faults: Literal["keep", "drop"] = "drop",
    dates: str | None = None,
) -> Loaded:
    """The same as `load_dataset`, with findings about dates and labels that had other forms."""
    files = find_files(task, root, split, set)
    official = is_downloaded(task, root, split)
    document = read_json(files.questions, official=official)
    rows = read_questions(document)
    digests = [document.sha256]
    golds: dict[str, str] | None = None
    findings: list[Finding] = []
    if files.outputs is not None:
        outputs = read_json(files.outputs, official=official)
        golds = read_golds(outputs, task)
        digests.append(outputs.sha256)
        match_ids(document, rows, golds)
        findings += _check_spelling(outputs.value["golds"], golds, set)

    known = KNOWN_FAULTS.get((task.name, split, set), {})
    faulty = rows.keys() & known.keys()
    if known_faults == "drop":
        rows = {id: row for id, row in rows.items() if id not in faulty}
    seen: dict[Behavior, Behavior] = {}
    read = [
        build_example(row, id, task, document, seen, corrupt=id in faulty)
        for id, row in list(rows.items())[:limit]
    ]
    normalized = normalize(task, set, read, seen, rows.values(), dates)
    examples = normalized.examples
    findings += normalized.findings
    dataset = Dataset(
        task=task.name,
        set=set,
        examples=examples,
        golds=None if golds is None else {item.id: golds[item.id] for item in examples},
        fingerprint=_fingerprint(digests, limit, known_faults if known else None, dates),
    )
    return Loaded(dataset, tuple(findings))


def _check_spelling(
    rows: list[dict[str, Any]], golds: dict[str, str], set: SetName
) -> Iterator[Finding]:
    """A finding where golds are labels in another spelling; `golds` stand in the rows' order."""
    pairs = zip(golds.items(), rows, strict=True)
    respelled = {id: (row["output"], gold) for (id, gold), row in pairs if row["output"] != gold}
    texts = {id: pair for id, pair in respelled.items() if isinstance(pair[0], str)}
    if texts:
        old, new = next(iter(texts.values()))
        yield describe_spelling(set, "the outputs", old, new, tuple(texts))


def fingerprint(
    task: Task,
    root: Path,
    *,
    split: SplitName,
    set: SetName,
    limit: int | None = None,
    known_faults: Literal["keep", "drop"] = "drop",
    dates: str | None = None,
) -> str:
    """The `fingerprint` of the Dataset that `load_dataset` returns, without parsing the files.

    Raises DataError if questions or outputs are missing.
    """
    files = find_files(task, root, split, set)
    digests = [sha256_of(path) for path in (files.questions, files.outputs) if path is not None]
    known = KNOWN_FAULTS.get((task.name, split, set))
    return _fingerprint(digests, limit, known_faults if known else None, dates)


def _fingerprint(
    digests: list[str], limit: int | None, known_faults: str | None, dates: str | None
) -> str:
    """A hash of the files' SHA-256 digests and the loading options."""
    options = [limit, known_faults] + ([] if dates is None else [dates])
    return content_key([digests, *options], length=64)
