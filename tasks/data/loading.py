"""Loads files in LaMP's format as a Dataset."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tasks.common.digests import digest_file
from tasks.common.errors import DataError
from tasks.common.files import content_key, sha256_of
from tasks.data.document import Document, read_json
from tasks.data.finding import Finding
from tasks.data.layout import SetFiles, SetName, SplitName, find_files, is_downloaded
from tasks.data.normalizing import describe_spelling, normalize
from tasks.data.validation import (
    build_example,
    match_ids,
    read_golds,
    read_history,
    read_questions,
)
from tasks.example import Behavior, Dataset
from tasks.task import Task

KNOWN_FAULTS: dict[tuple[str, str, str], dict[str, str]] = {
    ("LaMP-2", "user", "dev"): {"110": "its input is corrupted in the official file"},
}
"""(task, split, set) → example id → what is wrong with the official row (methods.md §3c)."""
LARGE_FILE = 1 << 25
"""Bytes of a questions file from which on a cache keeps its content: half a second of reading."""


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
    cache: Path | None = None,
) -> Dataset:
    """Load and check one set.

    Args:
        root: contains `<split>/LaMP_k/<set>/<set>_{questions,outputs}.json`; for other layouts, see
            `tasks.data.layout.candidate_folders`.
        limit: load only the first `limit` examples; the ids of both files are still compared.
        known_faults: "drop" leaves out the rows in `KNOWN_FAULTS`; "keep" treats them like others.
        dates: how dates are written: "day-first", "month-first" or a `strptime` format; None:
            recognized from all dates of the file (`tasks.common.dates`).
        cache: see `read_set`.

    Returns:
        The Dataset, with `golds=None` for a test set without outputs. A row without `user_id` gets
        a user of its own. Ids that repeat within a profile become `id#2`, `id#3`, … Dates are in
        ISO 8601, labels as the task spells them.

    Raises:
        DataError: a file is missing or faulty.
        ConfigError: `dates` is no format.
    """
    return read_set(
        task,
        root,
        split=split,
        set=set,
        limit=limit,
        known_faults=known_faults,
        dates=dates,
        cache=cache,
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
    cache: Path | None = None,
) -> Loaded:
    """The same as `load_dataset`, with findings about dates and labels that had other forms.

    Args:
        cache: where large files are converted to Arrow tables once; their histories are then read
            when they are used (`tasks.data.stored`). Files that are faulty, or about which there is
            something to report, are always read whole.
    """
    files = find_files(task, root, split, set)
    official = is_downloaded(task, root, split)
    if cache is not None and files.questions.stat().st_size >= LARGE_FILE:
        known = KNOWN_FAULTS.get((task.name, split, set), {})
        keep = known_faults == "keep"
        stored = _read_stored(task, files, set, limit, frozenset(known), keep, dates, cache)
        if stored is not None:
            return stored
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

    def read_item(raw: Mapping[str, Any]) -> tuple[str, Behavior]:
        behavior = task.behavior(raw)
        return behavior.id, seen.setdefault(behavior, behavior)

    read = []
    for id, row in list(rows.items())[:limit]:
        history = read_history(row, document, id, read_item)
        read.append(build_example(row, id, task, document, history, corrupt=id in faulty))
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


def _read_stored(
    task: Task,
    files: SetFiles,
    set: SetName,
    limit: int | None,
    known: frozenset[str],
    keep: bool,
    dates: str | None,
    cache: Path,
) -> Loaded | None:
    """The set from its Arrow tables; None where its files need the plain reader."""
    from tasks.data.stored.convert import Source
    from tasks.data.stored.opening import open_stored

    digests = [digest_file(files.questions, cache)]
    golds: dict[str, str] | None = None
    if files.outputs is not None:
        try:
            outputs = read_json(files.outputs)
            golds = read_golds(outputs, task)
        except DataError:
            return None
        if any(_check_spelling(outputs.value["golds"], golds, set)):
            return None
        digests.append(outputs.sha256)
    questions = Document(files.questions, None, digests[0])
    source = Source(task, questions, golds, known, keep, dates)
    found = open_stored(source, cache, limit)
    if found is None:
        return None
    examples, kept = found
    option = ("keep" if keep else "drop") if known else None
    fingerprint = _fingerprint(digests, limit, option, dates)
    return Loaded(Dataset(task.name, set, examples, kept, fingerprint), ())


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
    cache: Path | None = None,
) -> str:
    """The `fingerprint` of the Dataset that `load_dataset` returns, without parsing the files.

    Args:
        cache: stores the digests of large files.

    Raises DataError if questions or outputs are missing.
    """
    files = find_files(task, root, split, set)
    digests = [
        sha256_of(path) if cache is None else digest_file(path, cache)
        for path in (files.questions, files.outputs)
        if path is not None
    ]
    known = KNOWN_FAULTS.get((task.name, split, set))
    return _fingerprint(digests, limit, known_faults if known else None, dates)


def _fingerprint(
    digests: list[str], limit: int | None, known_faults: str | None, dates: str | None
) -> str:
    """A hash of the files' SHA-256 digests and the loading options."""
    options = [limit, known_faults] + ([] if dates is None else [dates])
    return content_key([digests, *options], length=64)
