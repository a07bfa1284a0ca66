"""What a data folder holds: facts of each set, and all findings, for `bench data verify`."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, pstdev

from tasks.common.errors import DataError
from tasks.common.files import sha256_of
from tasks.data.download import MANIFEST, read_manifest
from tasks.data.findings import Finding, between, of_set
from tasks.data.layout import SETS, SetName, SplitName, places
from tasks.data.loading import KNOWN_FAULTS, load_dataset
from tasks.example import Dataset
from tasks.task import Kind, Task

__all__ = ["Audit", "Finding", "SetFacts", "audit"]


@dataclass(frozen=True)
class SetFacts:
    """One set in numbers; history lengths are in items per query.

    `users`: distinct ones, a query without a named user counting as its own. `answers`: gold →
    count, of tasks with a closed set of answers.
    """

    set: str
    examples: int
    users: int
    has_golds: bool
    fingerprint: str
    history_min: int
    history_median: float
    history_mean: float
    history_sd: float
    history_max: int
    empty_histories: int
    answers: Mapping[str, int]


@dataclass(frozen=True)
class Audit:
    """The audit of one task and split: facts of each set that could be read, and all findings."""

    task: str
    split: str
    sets: tuple[SetFacts, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)


def audit(task: Task, root: Path, split: SplitName) -> Audit:
    """Read every set of a task that is there, and examine it.

    A fault of the data is a finding, never an exception.
    """
    splits: dict[str, Dataset] = {}
    findings: list[Finding] = []
    for set in SETS:
        if not _is_there(task, root, split, set):
            continue
        try:
            splits[set] = load_dataset(task, root, split=split, set=set, known_faults="keep")
        except DataError as error:
            ids = () if error.id is None else (error.id,)
            findings.append(Finding("error", "unreadable", set, str(error), ids))
    if not splits and not findings:
        message = f"no files of {task.name} ({split} split) under {root}"
        findings.append(Finding("error", "missing", "", message))
    findings.extend(_changed(task, root, split))
    for set_name, loaded in splits.items():
        known = KNOWN_FAULTS.get((task.name, split, set_name), {})
        findings.extend(of_set(task, loaded, known))
    findings.extend(between(splits, users_may_recur=split == "time"))
    facts = tuple(_facts(task, loaded) for loaded in splits.values())
    return Audit(task.name, split, facts, tuple(findings))


def _is_there(task: Task, root: Path, split: SplitName, set: SetName) -> bool:
    return any(
        (folder / f"{set}_{kind}.json").exists()
        for folder in places(task, root, split, set)
        for kind in ("questions", "outputs")
    )


def _facts(task: Task, split: Dataset) -> SetFacts:
    lengths = [len(example.history) for example in split.examples] or [0]
    golds = {} if task.kind is Kind.GENERATION else split.golds or {}
    return SetFacts(
        set=split.set,
        examples=len(split),
        users=len({example.user_id for example in split.examples}),
        has_golds=split.golds is not None,
        fingerprint=split.fingerprint,
        history_min=min(lengths),
        history_median=median(lengths),
        history_mean=fmean(lengths),
        history_sd=pstdev(lengths),
        history_max=max(lengths),
        empty_histories=lengths.count(0),
        answers=dict(sorted(Counter(gold.strip() for gold in golds.values()).items())),
    )


def _changed(task: Task, root: Path, split: SplitName) -> Iterator[Finding]:
    """Files that are not what was downloaded."""
    folder = root / split / task.folder
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        yield Finding("warning", "unreadable-manifest", "", str(error))
        return
    for name, record in manifest.items():
        path = folder / name
        if path.exists() and sha256_of(path) != record.get("sha256"):
            message = f"{path} is not the file whose SHA-256 {MANIFEST} records"
            yield Finding("warning", "changed-since-download", name.split("/")[0], message)
