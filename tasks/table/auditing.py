"""What a declared task's file holds and lacks: findings for `bench data verify` and `preview`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

from tasks.common.errors import DataError
from tasks.common.labels import find_spellings
from tasks.data.audit import Audit, Finding, audit_datasets
from tasks.data.finding import Severity
from tasks.data.layout import SETS, SplitName
from tasks.example import Dataset
from tasks.table.config import TableConfig
from tasks.table.data import TableData
from tasks.table.task import make_task
from tasks.task import Kind

MANY_LABELS = 50
"""Distinct answers from which on a classification looks like a generation task."""
LONG_TEXT = 20_000
"""Characters of a cell that no usual prompt budget holds."""


def audit_table(name: str, config: TableConfig, split: SplitName) -> Audit:
    """The audit of a declared task: that of its data sets, and the findings about its file.

    A fault in the data becomes a finding, never an exception.
    """
    findings: list[Finding] = []
    try:
        findings += check_table(TableData(name, config, split))
        if any(finding.severity == "error" for finding in findings):
            return Audit(name, split, (), tuple(findings))
        task = make_task(name, config, split)
    except DataError as error:
        findings.append(_report(error, ""))
        return Audit(name, split, (), tuple(findings))
    datasets: dict[str, Dataset] = {}
    for set in SETS:
        if getattr(config, set) == 0:
            continue
        try:
            datasets[set] = task.data.load(task(), set)
        except DataError as error:
            findings.append(_report(error, set))
    audit = audit_datasets(task(), datasets, split, findings)
    # That the rows have no times is said once, and for tables.
    kept = (finding for finding in audit.findings if finding.kind != "undated-histories")
    return replace(audit, findings=tuple(kept))


def check_table(data: TableData) -> Iterator[Finding]:
    """Findings about rows, times, labels and users, before any set is made.

    Raises DataError: the file can't be read, or lacks a column.
    """
    yield from _check_rows(data)
    yield from _check_times(data)
    if data.config.kind is not Kind.GENERATION:
        yield from _check_labels(data)
    total = len(data.rows.rows)
    for set, count in data.splits.too_short.items():
        if count:
            least = data.config.min_history
            message = f"{count} of {total} rows are no {set} query: fewer than {least} earlier rows"
            yield Finding("info", "short-history", set, message)


def _report(error: DataError, set: str) -> Finding:
    severity: Severity = "warning" if set == "test" else "error"  # no suite scores it by default
    ids = () if error.id is None else (error.id,)
    return Finding(severity, "unreadable", set, str(error), ids)


def _check_rows(data: TableData) -> Iterator[Finding]:
    total = len(data.table.rows)
    dropped = data.config.faulty_rows == "drop"
    by_kind: dict[str, list[int]] = {}
    first: dict[str, str] = {}
    for fault in data.rows.faults:
        by_kind.setdefault(fault.kind, []).append(fault.number)
        first.setdefault(fault.kind, fault.what)
    for kind, numbers in by_kind.items():
        severity: Severity = "warning" if dropped else "error"
        state = "are left out" if dropped else "can't be used"
        message = f"{len(numbers)} of {total} rows {state}: row {numbers[0]} {first[kind]}"
        yield Finding(severity, kind, "", message, tuple(f"row {n}" for n in numbers))
    long = [row for row in data.rows.rows if len(row.input) > LONG_TEXT]
    if long:
        message = f"{len(long)} inputs have more than {LONG_TEXT:,} characters"
        yield Finding("info", "very-long-text", "", message, tuple(f"row {r.number}" for r in long))


def _check_times(data: TableData) -> Iterator[Finding]:
    rows, column = data.rows, data.config.time
    if column is None:
        message = "no `time` column is named, so the order of the file counts as time order"
        yield Finding("info", "file-order", "", message)
        return
    for fault in rows.dates.faults if rows.dates else ():
        if fault.kind != "unreadable-dates":  # those are faulty rows
            yield Finding("error", fault.kind, "", fault.message, fault.values)
    counts = Counter((row.user, row.time) for row in rows.rows)
    tied = sum(count for count in counts.values() if count > 1)
    if tied:
        message = (
            f"{tied} of {len(rows.rows)} rows have the same time as another row of their user; "
            "none of them is in the other's history"
        )
        yield Finding("info", "equal-times", "", message)


def _check_labels(data: TableData) -> Iterator[Finding]:
    counts = Counter(row.output for row in data.rows.rows)
    for group in find_spellings(counts):
        message = "labels differ only in spelling: " + ", ".join(
            f"{label!r} ({counts[label]})" for label in group
        )
        message += "; correct them, or list `labels`, which then count as equal"
        yield Finding("warning", "labels-differ-by-case", "", message)
    if len(counts) > MANY_LABELS:
        mean = fmean(counts.values())
        message = (
            f"{len(counts)} distinct labels, {mean:.1f} rows each: is the kind of answer a text "
            '(kind = "generation")?'
        )
        yield Finding("warning", "many-labels", "", message)
    if len(counts) == 1:
        message = f"every row has the label {next(iter(counts))!r}"
        yield Finding("warning", "one-label", "", message)
