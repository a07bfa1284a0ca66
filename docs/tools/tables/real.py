"""Tables of docs/real.md, from three seeds on real authors."""

from statistics import stdev
from typing import Any

import pandas as pd
from forms import REFERENCE, mean, read_cells, read_scores, signed, thousandths, write_lines

TEXTS = ("gold", "zero-shot", "dense", "pplug", "pplug-whitened", "pplug-whitened-dense",
         "copy-nearest-response")  # fmt: skip
"""Rows of the table of what generated texts are like."""


def write_real(task: str, folder: str = "real") -> str:
    """One set of real authors: scores, their differences and costs, a line per method.

    Bold differences are significant; a bold score is not separable from the best.
    """
    scores = read_scores(folder)
    costs = _read_costs(task, folder)
    lines = [
        "| | R-1 ↑ | to zero-shot | to no user | Δuser | query read | fit s | ms a query |",
        "|---|---:|---|---|---|---:|---:|---:|",
    ]
    for row in scores[scores["task"] == task].to_dict("records"):
        if "@" in row["method"]:
            continue
        score = thousandths(row["value"])
        if row["seeds"] > 1:
            values = [float(value) for value in row["by_seed"].split()]
            score += f" ± {thousandths(stdev(values))}"
        read = "" if pd.isna(row["query_read"]) else f"{row['query_read']:.0%}"
        cells = [
            f"**{score}**" if row["best"] else score,
            *(_gap(row, gap) for gap in ("difference", "instruction_only_difference")),
            _gap(row, "control_difference"),
            read,
            *costs[row["method"]],
        ]
        lines.append(f"| `{row['method']}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_real_texts() -> str:
    """How long texts are, how much of them is copied and whose they resemble, in every set."""
    found = pd.concat(
        pd.read_csv(REFERENCE / f"real/{name}.csv") for name in ("texts", "attribution")
    )
    values = found.set_index(["task", "method", "measure"])["value"]
    tasks = list(found["task"].drop_duplicates())
    measures = {"length ratio": "length", "self-copying": "copied", "own author": "author"}
    heads = [f"{head}, {task}" for head in measures.values() for task in tasks]
    rows = []
    for method in TEXTS:
        row = [values[task, method, measure] for measure in measures for task in tasks]
        cells = [f"{v:.1f}" if n < len(tasks) else f"{v:.0%}" for n, v in enumerate(row)]
        rows.append([method if method == "gold" else f"`{method}`", *cells])
    return write_lines(["", *heads], rows, "---:")


def _gap(row: dict[str, Any], gap: str) -> str:
    """A difference with its interval, in bold where a corrected test finds it."""
    if pd.isna(row[gap]):
        return ""
    value, low, high = (signed(row[f"{gap}{end}"]) for end in ("", "_low", "_high"))
    text = f"{value} [{low}, {high}]"
    return text if row[f"{gap}_verdict"] == "unclear" else f"**{text}**"


def _read_costs(task: str, folder: str) -> dict[str, tuple[str, str]]:
    """method → seconds of training and milliseconds a query, means over seeds."""
    found: dict[str, list[dict[str, Any]]] = {}
    for cell in read_cells(folder):
        if cell["task"] == task:
            found.setdefault(cell["method"], []).append(cell)
    return {
        method: (
            f"{mean(cells, lambda cell: cell['seconds']['fit']):.0f}",
            f"{1000 * mean(cells, _seconds_a_query):,.0f}",
        )
        for method, cells in found.items()
    }


def _seconds_a_query(cell: dict[str, Any]) -> float:
    return float(cell["seconds"]["predict"] / cell["totals"]["n"])
