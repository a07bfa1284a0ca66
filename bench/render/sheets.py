"""What every format draws: scores, differences, spread over seeds and costs, as formatted text."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import stdev

from bench.statistics import Comparison
from bench.tables.comparing import CONTROL_SUFFIX
from bench.tables.model import Column, Entry, Row, RowCost, RowKey, Table
from bench.tables.notes import format_bounds, format_share

ABSENT = "–"
COSTS = {
    ("shared", "parameters"): "trainable_shared",
    ("shared", "fit s"): "fit_seconds",
    ("user", "parameters"): "trainable_per_user",
    ("user", "bytes"): "bytes_per_user",
    ("user", "s"): "seconds_per_user",
    ("query", "ms"): "query_ms",
    ("query", "prompt tokens"): "prompt_tokens",
    ("query", "read"): "query_read",
}
"""Column of the cost sheet → field of `RowCost`."""


@dataclass(frozen=True)
class Field:
    """One formatted value of a sheet; `color` is for terminals only."""

    text: str
    bold: bool = False
    color: str = ""


@dataclass(frozen=True)
class Sheet:
    """Formatted rows under a title.

    Attributes:
        labels: headers of the columns that name a row.
        columns: (group, header) of each further column; a group is a task, say.
        rows: labels and fields of each row.
    """

    title: str
    labels: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Field, ...]], ...]


def make_sheets(table: Table, *, intervals: bool = False) -> list[Sheet]:
    """All sheets of a table; those with nothing to show are left out.

    Args:
        intervals: show the interval of each score, not only those of differences.
    """
    sheets = [
        _make_score_sheet(table, intervals),
        *_make_difference_sheets(table),
        *_make_relative_sheet(table),
        *_make_seed_sheet(table),
    ]
    return [*sheets, *_make_cost_sheet(table)]


def _make_score_sheet(table: Table, intervals: bool) -> Sheet:
    names = label_names(row.key for row in table.rows)
    return Sheet(
        table.title,
        names,
        tuple((column.task, f"{_format_metric(column)} n={column.n}") for column in table.columns),
        tuple(
            (
                make_labels(names, row.key),
                tuple(_format_score(row, column, intervals) for column in table.columns),
            )
            for row in table.rows
        ),
    )


def _make_difference_sheets(table: Table) -> list[Sheet]:
    """Whether A is better than B: one sheet for each B that the table has."""
    opponents = {
        "to_reference": f"difference to {table.reference}",
        "to_instruction_only": f"difference to {table.instruction_only} (no user)",
        "to_control": "Δuser: difference to the method with another user's history",
    }

    def make(field: str, title: str) -> Sheet:
        def show(row: Row, entry: Entry) -> str | None:
            gap: Comparison | None = getattr(entry, field)
            return None if gap is None or _is_control(row) else _format_difference(gap)

        return _make_primary_sheet(table, f"{title}, with intervals", show)

    sheets = [make(field, title) for field, title in opponents.items()]
    return [sheet for sheet in sheets if sheet.rows]


def _make_relative_sheet(table: Table) -> list[Sheet]:
    """Gains in percent, as in PPlug's Table 1: positive where a row is better, errors included."""

    def show(row: Row, entry: Entry) -> str | None:
        gap = entry.to_reference
        if gap is None or gap.relative is None or _is_control(row):
            return None
        return f"{round(gap.relative, 1) + 0.0:+.1f}{_star(gap)}"

    sheet = _make_primary_sheet(table, f"gain over {table.reference} in % of its score", show, "%")
    return [sheet] if sheet.rows else []


def _make_seed_sheet(table: Table) -> list[Sheet]:
    def show(_: Row, entry: Entry) -> str | None:
        return f"{stdev(entry.by_seed):.3f}" if entry.seeds > 1 else None

    sheet = _make_primary_sheet(table, "standard deviation over seeds", show)
    return [sheet] if sheet.rows else []


def _make_primary_sheet(
    table: Table, title: str, show: Callable[[Row, Entry], str | None], unit: str = ""
) -> Sheet:
    """A sheet of the primary metrics, without the rows for which `show` gives None throughout.

    Args:
        unit: stands in place of the metric, if given.
    """
    primary = list({column.task: column for column in reversed(table.columns)}.values())[::-1]
    names = label_names(row.key for row in table.rows)
    rows = []
    for row in table.rows:
        entries = [row.entries.get(column) for column in primary]
        texts = [None if entry is None else show(row, entry) for entry in entries]
        if any(texts):
            labels = make_labels(names, row.key)
            rows.append((labels, tuple(Field(text or ABSENT) for text in texts)))
    columns = tuple((column.task, unit or _format_metric(column)) for column in primary)
    return Sheet(title, names, columns, tuple(rows))


def _make_cost_sheet(table: Table) -> list[Sheet]:
    names = label_names(row.key for row in table.rows)
    rows = tuple(
        (
            make_labels(names, row.key),
            tuple(_make_cost_field(row.cost, field) for field in COSTS.values()),
        )
        for row in table.rows
        if row.cost is not None
    )
    return [Sheet("cost, means over tasks and seeds", names, tuple(COSTS), rows)] if rows else []


def label_names(rows: Iterable[RowKey]) -> tuple[str, ...]:
    """Headers of the rows' labels: LLM, encoder and budget are named only if there are several."""
    keys = list(rows)
    fields = {"LLM": "llm", "encoder": "encoder", "budget": "budget"}
    values = {name: {getattr(key, field) for key in keys} for name, field in fields.items()}
    return ("method", *(name for name, found in values.items() if len(found - {None}) > 1))


def make_labels(names: tuple[str, ...], row: RowKey) -> tuple[str, ...]:
    """A row's labels, in the order of `names`."""
    known = {
        "method": row.method,
        "LLM": row.llm or ABSENT,
        "encoder": row.encoder or ABSENT,
        "budget": str(row.budget or ABSENT),
    }
    return tuple(known[name] for name in names)


def _format_metric(column: Column) -> str:
    return f"{column.metric} {'↑' if column.higher_is_better else '↓'}"


def _format_score(row: Row, column: Column, intervals: bool) -> Field:
    """Value, mark, interval, few seeds, and the counts of what failed or wasn't readable."""
    entry = row.entries.get(column)
    if entry is None:
        return Field(row.missing.get(column.task, ABSENT))
    mark = "" if _is_control(row) else _star(entry.to_reference)
    parts = [f"{entry.interval.value:.3f}{mark}"]
    if intervals:
        parts.append(format_bounds(entry.interval, ".3f"))
    if entry.few_seeds:
        parts.append(entry.few_seeds)
    counts = ((entry.n_failed, "f"), (entry.n_unparsed, "u"))
    parts += [f"{mark}{count}" for count, mark in counts if count]
    if column.task in row.missing:
        parts.append(f"({row.missing[column.task]})")
    return Field(" ".join(parts), bold=entry.best)


def _format_difference(gap: Comparison) -> str:
    return f"{gap.difference:+.3f}{_star(gap)} {format_bounds(gap, '+.3f')}"


def _star(gap: Comparison | None) -> str:
    return "*" if gap is not None and gap.significant else ""


def _is_control(row: Row) -> bool:
    """Whether the row is a control, which Δuser of its method compares already."""
    return row.method.endswith(CONTROL_SUFFIX)


def _make_cost_field(cost: RowCost, name: str) -> Field:
    if name != "query_read":
        return Field(_format_cost(getattr(cost, name)))
    return Field(ABSENT if cost.query_read is None else format_share(cost.query_read))


def _format_cost(value: float) -> str:
    """A cost: whole from 100 on, with one decimal from 1 on, else with two significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"
