"""The table in long form, for pandas, spreadsheets and plots."""

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from bench.statistics import Comparison
from bench.tables.model import Entry, RowCost, Table

if TYPE_CHECKING:
    import pandas as pd

GAPS = {
    "difference": "to_reference",
    "control_difference": "to_control",
    "instruction_only_difference": "to_instruction_only",
}
"""Column of the frame → field of `Entry`."""
PARTS = {"_low": "low", "_high": "high", "_p": "p_adjusted", "_relative": "relative"}
"""Ending of a difference's columns → field of `Comparison`."""
COLUMNS = [
    *("task", "metric", "method", "llm", "encoder", "value", "low", "high"),
    *(f"{gap}{end}" for gap in GAPS for end in ("", *PARTS, "_verdict")),
    *("by_seed", "n", "n_users", "n_failed", "n_unparsed", "seeds", "few_seeds", "withheld"),
    *("best", "higher_is_better"),
    *("max_input_tokens", "budget_rule", "query_read", "queries_cut"),
]
NUMBERS = ["low", "high", *(f"{gap}{end}" for gap in GAPS for end in ("", *PARTS))]
"""Columns that may be empty, also of a table where they are throughout."""


COSTS = [field.name for field in fields(RowCost) if field.name not in COLUMNS]
"""Columns of a method's costs, which are means over all its cells (see `RowCost`)."""


def to_frame(table: Table, *, costs: bool = False) -> "pd.DataFrame":
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
            "n_users": entry.n_users,
            "n_failed": entry.n_failed,
            "n_unparsed": entry.n_unparsed,
            "seeds": entry.seeds,
            "few_seeds": entry.few_seeds,
            "withheld": entry.interval.withheld,
            "best": entry.best,
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
    import pandas as pd  # slow, and tables in a terminal do without

    frame = pd.DataFrame(lines, columns=[*COLUMNS, *(COSTS if costs else [])])
    frame = frame.astype(dict.fromkeys(NUMBERS, "float64"))
    return frame.astype({"max_input_tokens": "Int64", "queries_cut": "Int64"})


def _flatten_differences(entry: Entry) -> dict[str, float | str | None]:
    columns: dict[str, float | str | None] = {}
    for name, field in GAPS.items():
        gap: Comparison | None = getattr(entry, field)
        columns[name] = None if gap is None else gap.difference
        columns |= {
            f"{name}{end}": None if gap is None else getattr(gap, part)
            for end, part in PARTS.items()
        }
        columns[f"{name}_verdict"] = None if gap is None else gap.verdict
    return columns
