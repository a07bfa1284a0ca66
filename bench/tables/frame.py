"""The table in long form, for pandas, spreadsheets and plots."""

from dataclasses import asdict, fields

import pandas as pd

from bench.tables.model import Entry, RowCost, Table

GAPS = {
    "difference": "to_reference",
    "control_difference": "to_control",
    "instruction_only_difference": "to_instruction_only",
}
"""Column of the frame → field of `Entry`."""
BOUNDS = ("_low", "_high")
COLUMNS = [
    *("task", "metric", "method", "llm", "encoder", "value", "low", "high"),
    *(f"{gap}{end}" for gap in GAPS for end in ("", *BOUNDS)),
    *("by_seed", "n", "n_failed", "n_unparsed", "seeds", "higher_is_better"),
    *("max_input_tokens", "budget_rule", "query_read", "queries_cut"),
]


COSTS = [field.name for field in fields(RowCost) if field.name not in COLUMNS]
"""Columns of a method's costs, which are means over all its cells (see `RowCost`)."""


def to_frame(table: Table, *, costs: bool = False) -> pd.DataFrame:
    """One line per score, with its intervals and denominators.

    Args:
        costs: add the method's costs. Without them, runs with equal scores have equal frames.
    """
    lines = [
        {
            "task": column.task,
            "metric": column.metric,
            "method": row.method,
            "llm": row.llm,
            "encoder": row.encoder,
            "value": entry.interval.value,
            "low": entry.interval.low,
            "high": entry.interval.high,
            **_flatten_differences(entry),
            "by_seed": " ".join(f"{value:.6f}" for value in entry.by_seed),
            "n": entry.n,
            "n_failed": entry.n_failed,
            "n_unparsed": entry.n_unparsed,
            "seeds": entry.seeds,
            "higher_is_better": column.higher_is_better,
            **({} if row.cost is None else asdict(row.cost)),
            "max_input_tokens": None if row.budget is None else row.budget.tokens,
            "budget_rule": None if row.budget is None else row.budget.rule,
            "query_read": entry.query_read,
            "queries_cut": None if entry.query_read is None else entry.queries_cut,
        }
        for row in table.rows
        for column, entry in row.entries.items()
    ]
    frame = pd.DataFrame(lines, columns=[*COLUMNS, *(COSTS if costs else [])])
    bounds = [name for name in COLUMNS if name in {"low", "high"} or name.endswith(BOUNDS)]
    frame = frame.astype(dict.fromkeys(bounds, "float64"))
    return frame.astype({"max_input_tokens": "Int64", "queries_cut": "Int64"})


def _flatten_differences(entry: Entry) -> dict[str, float | None]:
    columns: dict[str, float | None] = {}
    for name, field in GAPS.items():
        gap = getattr(entry, field)
        parts = (None, None, None) if gap is None else (gap.value, gap.low, gap.high)
        columns |= zip((name, f"{name}_low", f"{name}_high"), parts, strict=True)
    return columns
