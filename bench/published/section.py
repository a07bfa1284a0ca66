"""Published numbers as a section of its own, below a suite's measured table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.grid import Grid
from bench.published.data import load_published
from bench.published.terms import list_differences
from bench.render.sheets import ABSENT, Field, Sheet
from bench.settings import Settings
from bench.tables.model import Table
from tasks.common.errors import ConfigError

LABELS = {"method": "method", "llm": "LLM", "encoder": "encoder", "k": "k", "table": "table"}
"""Column of `load_published` → header."""


@dataclass(frozen=True)
class Section:
    """Sheets of published numbers, and the notes without which they may not be shown."""

    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...]


def make_section(
    settings: Settings, grid: Grid, measured: Table, *, all_metrics: bool = False
) -> Section:
    """The published numbers of a suite's tasks, one sheet for each paper and set.

    Those of the suite's own set (dev or test) are shown, or all where there are none of that set.

    Args:
        measured: the suite's own table, for the number of queries that it scored.
        all_metrics: every published metric, not only the primary ones.

    Raises ConfigError where no task of the suite has published numbers.
    """
    _, suite = settings.suite(grid.suite)
    tasks = list(dict.fromkeys(cell.task.name for cell in grid.cells))
    numbers = load_published()
    of_tasks = numbers[numbers["task"].isin(tasks)]
    if of_tasks.empty:
        known = ", ".join(dict.fromkeys(numbers["task"]))
        raise ConfigError(
            f"there are no published numbers for {', '.join(tasks)}",
            hint=f"Leave out --published; there are some for {known}",
        )
    shown = of_tasks[of_tasks["set"] == suite.evaluate]
    shown = of_tasks if shown.empty else shown
    if not all_metrics:
        primary = {cell.task.name: cell.task.metrics[0] for cell in grid.cells}
        shown = shown[shown["metric"] == shown["task"].map(primary)]
    sheets = [
        _make_sheet(f"published: {paper} (arXiv {arxiv}), {set} set", lines)
        for (paper, arxiv, set), lines in shown.groupby(["paper", "arxiv", "set"], sort=False)
    ]
    notes = [*_explain(settings, grid, measured, shown), *_state_terms(shown)]
    left_out = len(of_tasks) - len(shown)
    if left_out:
        notes.append(
            f"{left_out} more published numbers of these tasks (other sets and metrics): "
            "bench.load_published()"
        )
    return Section(tuple(sheets), tuple(notes))


def _make_sheet(title: str, lines: pd.DataFrame) -> Sheet:
    names = [name for name in LABELS if lines[name].notna().any()]
    columns = list(dict.fromkeys(zip(lines["task"], lines["metric"], strict=True)))
    sizes = dict(zip(lines["task"], lines["n"], strict=True))
    rows: dict[tuple[str, ...], dict[tuple[str, str], float]] = {}
    digits: dict[tuple[str, ...], int] = {}
    given = _count_digits()
    for line in lines.to_dict("records"):
        labels = tuple(_format_label(line[name]) for name in names)
        rows.setdefault(labels, {})[line["task"], line["metric"]] = line["value"]
        digits[labels] = given[line["paper"], line["table"]]
    return Sheet(
        title,
        tuple(LABELS[name] for name in names),
        tuple(
            (task, f"{metric} {'↓' if metric in {'mae', 'rmse'} else '↑'} n={sizes[task]}")
            for task, metric in columns
        ),
        tuple(
            (labels, tuple(_format_value(values.get(c), digits[labels]) for c in columns))
            for labels, values in rows.items()
        ),
    )


def _count_digits() -> dict[tuple[str, int], int]:
    """(paper, table) → the digits behind the point that all its values are given with."""
    numbers = load_published()
    digits: dict[tuple[str, int], int] = {}
    for paper, table, value in zip(*(numbers[c] for c in ("paper", "table", "value")), strict=True):
        own = len(f"{value:.4f}".rstrip("0").partition(".")[2])
        digits[paper, table] = max(own, digits.get((paper, table), 0))
    return digits


def _format_label(value: Any) -> str:
    """Hub names without their owner."""
    return ABSENT if pd.isna(value) else str(value).rpartition("/")[2]


def _format_value(value: float | None, digits: int) -> Field:
    """With as many digits as the paper gives."""
    return Field(ABSENT if value is None else f"{value:.{digits}f}")


def _explain(settings: Settings, grid: Grid, measured: Table, shown: pd.DataFrame) -> Iterator[str]:
    differences = list(list_differences(settings, grid, measured, shown))
    yield (
        "published numbers were measured by others and are not part of the table above: no "
        "difference, mark or interval compares the two"
    )
    if differences:
        yield f"they can't be compared with the measured ones: {'; '.join(differences)}"
    else:
        yield (
            "LLM, split, set, queries and prompt budget are those of the measured ones as far as "
            "the papers state them; decoding, scorer, software and seeds may still differ"
        )


def _state_terms(shown: pd.DataFrame) -> Iterator[str]:
    """What was trained, and with which prompt budget, per group of methods."""
    for (paper, split), lines in shown.groupby(["paper", "split"], sort=False):
        tokens = lines["max_input_tokens"].astype("string") + " prompt tokens"
        budgets = tokens.fillna("prompt budget not stated")
        for (terms, budget), own in lines.groupby([lines["terms"], budgets], sort=False):
            methods = ", ".join(own["method"].unique())
            yield f"{paper}, {split} split, {methods}: {terms}; {budget}"
