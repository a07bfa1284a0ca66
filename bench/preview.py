"""`bench data preview`: what would be read of a table and what is wrong with it, before a run."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from bench.declaring import Preview, write_declaration
from tasks.common.numbering import count
from tasks.data.layout import SETS, SplitName
from tasks.table.auditing import audit_table
from tasks.table.data import TableData
from tasks.table.labels import infer_labels
from tasks.table.reading import Table
from tasks.task import Kind

LONGEST = 40
"""Characters of a cell."""
MOST_ROWS, MOST_LABELS = 8, 12
"""Rows that a finding names, and labels that are listed, at most."""


def describe(
    preview: Preview, rows: int, split: SplitName, *, config: Path, declared: bool
) -> Iterator[str]:
    """The lines that `bench data preview` prints.

    Args:
        rows: how many of the first rows to show.
        config: the bench.toml that declares the task or is to declare it.
        declared: whether bench.toml declares the task already, so that nothing is to be pasted.

    Raises:
        DataError: the file can't be read, or lacks a column.
    """
    data = TableData(preview.name, preview.config, split)
    table, _ = data.table, data.rows  # a missing column is reported before anything is shown
    size = f"{count(len(table.rows), 'row')}, {count(len(table.columns), 'column')}"
    yield f"{table.path}: {size} ({table.form})"
    yield ""
    yield from _describe_columns(data, preview)
    yield ""
    yield from _describe_rows(data, rows)
    yield ""
    yield from _describe_sets(data)
    yield ""
    yield from _describe_findings(preview, split)
    if not declared:
        yield ""
        yield f"# to declare this task, add to {config}"
        yield from write_declaration(data, config)


def _describe_columns(data: TableData, preview: Preview) -> Iterator[str]:
    roles = {column: role for role, column in preview.config.columns.items()}
    roles |= dict.fromkeys(preview.config.attributes, "attribute")
    names = {column: _shorten(column) for column in data.table.columns}
    width = max(map(len, names.values()))
    yield f"{'column':{width}}  read as    holds"
    for column, name in names.items():
        role = roles.get(column, "–")
        role += "?" if role in preview.guessed else ""
        yield f"{name:{width}}  {role:9}  {_describe_column(data.table, column)}"
    if preview.guessed & set(roles.values()):
        yield "?: guessed; give --user, --input, --output, --time or --id to say otherwise"


def _describe_column(table: Table, column: str) -> str:
    texts = [text for row in table.rows if (text := row.cells.get(column)) is not None]
    if not texts:
        return "nothing"
    counts = Counter(texts)
    distinct = f"{len(counts)} distinct" if len(counts) < len(texts) else "all distinct"
    missing = len(table.rows) - len(texts)
    length = f", {fmean(map(len, texts)):.0f} characters on average" if len(counts) > 20 else ""
    return f"{distinct}{length}{f', {missing} missing' if missing else ''}, e.g. " + _quote(
        texts[0]
    )


def _describe_rows(data: TableData, number: int) -> Iterator[str]:
    shown = min(number, len(data.table.rows))
    yield f"first {shown} rows" if shown != 1 else "first row"
    usable = {row.number: row for row in data.rows.rows}
    faults = {fault.number: fault for fault in data.rows.faults}
    for raw in data.table.rows[:number]:
        if raw.number in usable:
            row = usable[raw.number]
            parts = [row.user, *([row.date] if row.date else []), _quote(row.input)]
            yield f"row {raw.number}: {' · '.join(parts)} → {_quote(row.output)}"
        else:
            yield f"row {raw.number}: can't be used: {faults[raw.number].what}"


def _describe_sets(data: TableData) -> Iterator[str]:
    yield f"queries, split by {data.split}"
    for set in SETS:
        queries = data.splits.queries[set]
        lengths = [len(query.history) for query in queries]
        users = len({query.row.user for query in queries})
        history = f", histories of {_describe_range(lengths)}" if lengths else ""
        asked = count(len(queries), "query", "queries")
        yield f"{set:5}  {asked} of {count(users, 'user')}{history}"
    if data.config.kind is not Kind.GENERATION and data.rows.rows:
        counts = Counter(row.output for row in data.rows.rows)
        labels = infer_labels(counts, data.config.kind)
        shown = ", ".join(f"{label} ({counts[label]})" for label in labels[:MOST_LABELS])
        yield f"labels: {shown}{', …' if len(labels) > MOST_LABELS else ''}"


def _describe_range(lengths: Sequence[int]) -> str:
    shortest, longest = min(lengths), max(lengths)
    both = "" if shortest == longest else f"{shortest} to "
    return both + count(longest, "row")


def _describe_findings(preview: Preview, split: SplitName) -> Iterator[str]:
    findings = audit_table(preview.name, preview.config, split).findings
    yield "findings" if findings else "findings: none"
    for finding in findings:
        yield replace(finding, file="").describe(MOST_ROWS)  # the first line names it


def _quote(text: str) -> str:
    return json.dumps(_shorten(text), ensure_ascii=False)


def _shorten(text: str) -> str:
    text = " ".join(text[: 10 * LONGEST].split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
