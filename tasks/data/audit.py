"""Audits a data folder for `bench data verify`: statistics of each set, and findings."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median, pstdev

from tasks.common.errors import DataError
from tasks.common.files import sha256_of
from tasks.common.labels import describe_spellings, find_spellings, show_label
from tasks.data.findings import Finding, check_across_sets, check_set
from tasks.data.layout import (
    MANIFEST,
    SETS,
    SetName,
    SplitName,
    candidate_folders,
    exists,
    find_files,
)
from tasks.data.loading import KNOWN_FAULTS, read_set
from tasks.example import Dataset
from tasks.task import Kind, Task

__all__ = ["Audit", "Finding", "SetStatistics", "audit", "audit_datasets", "check_labels"]


@dataclass(frozen=True)
class SetStatistics:
    """Statistics of one set.

    Attributes:
        set: "train", "dev" or "test".
        examples: number of queries.
        users: number of distinct users; a query that names no user counts as a user of its own.
        has_golds: whether the set has an outputs file.
        fingerprint: of the files, see `Dataset`.
        history_min, history_median, history_mean, history_sd, history_max: of the history lengths,
            in items per query.
        empty_histories: number of queries without any history.
        answers: gold → count; {} for generation.
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
    """The audit of one task and split: statistics of each readable set, and all findings."""

    task: str
    split: str
    sets: tuple[SetStatistics, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)


def audit(task: Task, root: Path, split: SplitName, dates: str | None = None) -> Audit:
    """Load and check every set of a task that `root` contains.

    A fault in the data becomes a finding, never an exception.

    Args:
        dates: see `load_dataset`.

    Raises ConfigError if `dates` is no format.
    """
    datasets: dict[str, Dataset] = {}
    findings: list[Finding] = []
    for set in SETS:
        try:
            if not _has_set(task, root, split, set):
                continue
            loaded = read_set(task, root, split=split, set=set, known_faults="keep", dates=dates)
            datasets[set] = loaded.dataset
            findings.extend(loaded.findings)
        except DataError as error:
            ids = () if error.id is None else (error.id,)
            findings.append(Finding("error", "unreadable", set, str(error), ids))
    if not datasets and not findings:
        message = f"found no files of {task.name} ({split} split) under {root}"
        findings.append(Finding("error", "missing", "", message))
    findings.extend(_check_downloads(task, root, split))
    findings.extend(check_labels(task))
    audit = audit_datasets(task, datasets, split, findings)
    read = [set for set in SETS if set in datasets]
    files: dict[str, str] = {set: str(find_files(task, root, split, set).questions) for set in read}
    placed = (replace(finding, file=files.get(finding.set, "")) for finding in audit.findings)
    return replace(audit, findings=tuple(placed))


def audit_datasets(
    task: Task, datasets: Mapping[str, Dataset], split: SplitName, findings: Sequence[Finding] = ()
) -> Audit:
    """Check datasets by set, wherever they were read from; `findings` are those of reading them."""
    found = list(findings)
    for set_name, dataset in datasets.items():
        known = KNOWN_FAULTS.get((task.name, split, set_name), {})
        found.extend(check_set(task, dataset, known, split))
    found.extend(check_across_sets(datasets, users_may_recur=split == "time"))
    statistics = tuple(_describe(task, dataset) for dataset in datasets.values())
    return Audit(task.name, split, statistics, tuple(found))


def check_labels(task: Task) -> Iterator[Finding]:
    """A warning for labels that are probably one: an answer of the other spelling is wrong."""
    for group in find_spellings(task.labels):
        labels = ", ".join(map(show_label, group))
        message = f"labels differ only in {describe_spellings(group)}: {labels}; keep one"
        yield Finding("warning", "similar-labels", "", message)


def _has_set(task: Task, root: Path, split: SplitName, set: SetName) -> bool:
    return any(
        exists(folder / f"{set}_{kind}.json")
        for folder in candidate_folders(task, root, split, set)
        for kind in ("questions", "outputs")
    )


def _describe(task: Task, dataset: Dataset) -> SetStatistics:
    lengths = [len(example.history) for example in dataset.examples] or [0]
    golds = {} if task.kind is Kind.GENERATION else dataset.golds or {}
    return SetStatistics(
        set=dataset.set,
        examples=len(dataset),
        users=len({example.user_id for example in dataset.examples}),
        has_golds=dataset.golds is not None,
        fingerprint=dataset.fingerprint,
        history_min=min(lengths),
        history_median=median(lengths),
        history_mean=fmean(lengths),
        history_sd=pstdev(lengths),
        history_max=max(lengths),
        empty_histories=lengths.count(0),
        answers=dict(sorted(Counter(gold.strip() for gold in golds.values()).items())),
    )


def _check_downloads(task: Task, root: Path, split: SplitName) -> Iterator[Finding]:
    """Warn about files that have changed since they were downloaded."""
    from tasks.data.download import read_manifest  # its HTTP client is slow to import

    folder = root / split / task.folder
    try:
        manifest = read_manifest(folder)
    except DataError as error:
        yield Finding("warning", "unreadable-manifest", "", str(error))
        return
    for name, record in manifest.items():
        path = folder / name
        if path.is_file() and sha256_of(path) != record.get("sha256"):
            message = f"the SHA-256 of {path} differs from the one recorded in {MANIFEST}"
            yield Finding("warning", "changed-since-download", name.split("/")[0], message)
