"""Tables of docs/what_works_when.md, from suites of three seeds on LaMP-mini."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from forms import REFERENCE, mean, read_cells, read_scores, signed, write_lines

COMPARED = ("bm25", "dense", "pag", "oppu", "pplug", "pplug-whitened", "pplug-whitened-dense")
FOLDERS = ("full", "mixed")
MARKS = {"better": "▲", "worse": "▼"}


def write_by_history() -> str:
    """Differences to zero-shot by the history's length; bold where a corrected test finds them."""
    slices = pd.concat(pd.read_csv(REFERENCE / name / "slices.csv") for name in FOLDERS)
    parts = list(slices.sort_values("order")["part"].drop_duplicates())
    rows = []
    for task, of_task in slices.groupby("task"):
        for method in COMPARED:
            found = of_task[of_task["method"] == method].set_index("part")
            if not found.empty:
                rows.append([f"{task}", f"`{method}`", *(_write_part(found, p) for p in parts)])
    return write_lines(
        ["task", "", *(f"{part} item{'s' * (part != '1')}" for part in parts)], rows, "---"
    )


def _write_part(found: pd.DataFrame, part: str) -> str:
    if part not in found.index:
        return ""
    row = found.loc[part]
    text = signed(row["difference"])
    mark = MARKS.get(row["difference_verdict"])
    return f"**{text}** {mark}" if mark else text


def write_by_cost() -> str:
    """On how many tasks each method helps, whom it needs, and what it costs."""
    scores = pd.concat(read_scores(name) for name in FOLDERS)
    cells = [cell for name in FOLDERS for cell in read_cells(name)]
    rows = [_write_method(m, scores[scores["method"] == m], cells) for m in COMPARED]
    heads = ["", "better than zero-shot", "worse", "needs its user", "prompt tokens a query",
             "KB a user", "s of training a user", "s of training for all"]  # fmt: skip
    return write_lines(heads, rows)


def _write_method(method: str, rows: pd.DataFrame, cells: list[dict[str, Any]]) -> list[str]:
    of_method = [cell for cell in cells if cell["method"] == method]
    cost = [
        mean(of_method, lambda cell: cell["totals"]["prompt_tokens_mean"]),
        mean(of_method, lambda cell: cell["cost"]["bytes_per_user"]) / 1000,
        mean(of_method, lambda cell: cell["cost"]["seconds_per_user"]),
        mean(of_method, lambda cell: cell["seconds"]["fit"]),
    ]
    places = [
        _name_tasks(rows, "difference_verdict", "better"),
        _name_tasks(rows, "difference_verdict", "worse"),
        _name_tasks(rows, "control_difference_verdict", "better"),
    ]
    return [f"`{method}`", *places, *_write_costs(cost)]


def _name_tasks(rows: pd.DataFrame, column: str, verdict: str) -> str:
    """LaMP-2, -3: 2 of 3."""
    chosen = sorted(rows.loc[rows[column] == verdict, "task"])
    names = ", ".join(
        task if n == 0 else task.removeprefix("LaMP") for n, task in enumerate(chosen)
    )
    return f"{names}: {len(chosen)} of {len(rows)}" if chosen else f"none of {len(rows)}"


def _write_costs(cost: list[float]) -> Iterator[str]:
    for value, digits in zip(cost, (0, 0, 2, 0), strict=True):
        yield f"{value:.{digits}f}" if value else "–"
