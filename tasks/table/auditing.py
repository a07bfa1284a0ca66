"""What a declared task's file holds and lacks: findings for `bench data verify` and `preview`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

from tasks.common.errors import DataError
from tasks.common.labels import describe_spellings, find_spellings, show_label
from tasks.common.numbering import count
from tasks.data.audit import Audit, Finding, audit_datasets
from tasks.data.finding import Severity
from tasks.data.layout import SETS, SplitName
from tasks.example import Dataset
from tasks.table.config import TableConfig
from tasks.table.data import TableData
from tasks.table.splitting import find_tied_rows, group_by_user
from tasks.table.task import make_task
from tasks.task import Kind

MANY_LABELS = 50
"""Distinct answers from which on a classification looks like a generation task."""
NO_VALUE = frozenset({"nan", "<na>", "na", "n/a", "#n/a", "null", "\\n"})
"""Texts in lower case that programs write where there is no value."""
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
            placed = (replace(finding, file=str(config.file)) for finding in findings)
            return Audit(name, split, (), tuple(placed))
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
    # What the rows' times lack is said once, and for tables.
    said = {"undated-histories", "tied-dates"}
    kept = (finding for finding in audit.findings if finding.kind not in said)
    # An error names its file itself.
    placed = (f if f.kind == "unreadable" else replace(f, file=str(config.file)) for f in kept)
    return replace(audit, findings=tuple(placed))


def check_table(data: TableData) -> Iterator[Finding]:
    """Findings about rows, times, labels and users, before any set is made.

    Raises DataError: the file can't be read, or lacks a column.
    """
    yield from _check_rows(data)
    yield from _check_times(data)
    if data.config.kind is not Kind.GENERATION:
        yield from _check_labels(data)
    if data.rows.faults and data.config.faulty_rows == "error":
        return  # what the usable rows lack, the others may hold
    yield from _check_variety(data)
    total = count(len(data.rows.rows), "row")
    for set, short in data.splits.too_short.items():
        if short:
            least = count(data.config.min_history, "earlier row")
            are = "is" if short == 1 else "are"
            message = f"{short} of {total} {are} no {set} query: fewer than {least}"
            yield Finding("info", "short-history", set, message)


def _report(error: DataError, set: str) -> Finding:
    severity: Severity = "warning" if set == "test" else "error"  # no suite scores it by default
    ids = () if error.id is None else (error.id,)
    return Finding(severity, "unreadable", set, str(error), ids)


def _check_rows(data: TableData) -> Iterator[Finding]:
    total = count(len(data.table.rows), "row")
    dropped = data.config.faulty_rows == "drop"
    by_kind: dict[str, list[int]] = {}
    first: dict[str, str] = {}
    for fault in data.rows.faults:
        by_kind.setdefault(fault.kind, []).append(fault.number)
        first.setdefault(fault.kind, fault.what)
    for kind, numbers in by_kind.items():
        severity: Severity = "warning" if dropped else "error"
        are = "is" if len(numbers) == 1 else "are"
        state = f"{are} left out" if dropped else "can't be used"
        message = f"{len(numbers)} of {total} {state}: row {numbers[0]} {first[kind]}"
        yield Finding(severity, kind, "", message, tuple(f"row {n}" for n in numbers))
    yield from _check_header(data)
    yield from _check_missing(data)
    long = [row for row in data.rows.rows if len(row.input) > LONG_TEXT]
    if long:
        have = count(len(long), "input has", "inputs have")
        message = f"{have} more than {LONG_TEXT:,} characters"
        yield Finding("info", "very-long-text", "", message, tuple(f"row {r.number}" for r in long))


def _check_header(data: TableData) -> Iterator[Finding]:
    """Columns that are called like a cell of theirs: the first line is probably a row."""
    named = [
        column
        for column in data.config.columns.values()
        if any(row.cells.get(column) == column for row in data.table.rows)
    ]
    if len(named) > 1:
        columns = " and ".join(map(repr, named[:2]))
        message = f"the first line looks like a row: cells below {columns} hold the same"
        yield Finding("warning", "no-header", "", message)


def _check_missing(data: TableData) -> Iterator[Finding]:
    """Cells with a text that programs write for a missing one."""
    for role in ("user", "input", "output"):
        texts = {row.number: getattr(row, role) for row in data.rows.rows}
        found = {number: text for number, text in texts.items() if text.lower() in NO_VALUE}
        if found:
            text = next(iter(found.values()))
            where = f"the {role} of {count(len(found), 'row')}"
            message = f"{where} is {text!r} or the like, as programs write a missing one"
            rows = tuple(f"row {number}" for number in found)
            yield Finding("warning", "looks-missing", "", message, rows)


def _check_times(data: TableData) -> Iterator[Finding]:
    rows, column = data.rows, data.config.time
    if column is None:
        message = "no `time` column is named, so the order of the file counts as time order"
        yield Finding("info", "file-order", "", message)
        return
    for fault in rows.dates.faults if rows.dates else ():
        if fault.kind != "unreadable-dates":  # those are faulty rows
            yield Finding("error", fault.kind, "", fault.message, fault.values)
    tied = sorted(
        row.number for own in group_by_user(rows.rows).values() for row in find_tied_rows(own)
    )
    if tied:
        message = (
            f"{len(tied)} of {len(rows.rows)} rows have the same time as another row of their "
            "user, as far as both are known; none of them is in the other's history, and the order "
            "of the file decides between them in later ones"
        )
        yield Finding("info", "equal-times", "", message, tuple(f"row {n}" for n in tied))


def _check_labels(data: TableData) -> Iterator[Finding]:
    counts = Counter(row.output for row in data.rows.rows)
    for group in find_spellings([*counts, *data.config.labels]):
        shown = (f"{show_label(label)}: {count(counts[label], 'row')}" for label in group)
        message = f"labels differ only in {describe_spellings(group)} ({', '.join(shown)})"
        message += (
            "; list one of them in `labels`"
            if data.config.labels
            else "; correct them, or list `labels`, which then count as equal"
        )
        yield Finding("warning", "similar-labels", "", message)


def _check_variety(data: TableData) -> Iterator[Finding]:
    if data.config.kind is Kind.GENERATION:
        return
    counts = Counter(row.output for row in data.rows.rows)
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
