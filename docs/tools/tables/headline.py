"""Tables of README.md and docs/index.md, from the outcome of suite `mini`."""

from typing import Any

import pandas as pd
from forms import mean, read_cells, read_scores, write_lines

METHODS = {
    "oracle": "*oracle (bound)*",
    "user-blind": "*user-blind (bound)*",
    "zero-shot": "zero-shot",
    "bm25": "BM25, 4 items",
    "dense": "dense, 4 items",
    "oppu": "OPPU (LoRA per user)",
    "pplug-whitened": "PPlug (whitened)",
    "pplug-whitened-dense": "PPlug + dense",
}
"""Methods of the headline table, and what it calls them; those in italics are bounds."""
METRICS = {"accuracy": "acc", "mae": "MAE", "rouge1": "R-1"}


def write_headline() -> str:
    """Primary metrics: a line per method, a column per task; in bold what the best may be."""
    columns = list(read_scores("mini").groupby("task", sort=False))
    rows = []
    for method, label in METHODS.items():
        cells = []
        for _, group in columns:
            row = group.set_index("method").loc[method]
            value = f"{row['value']:.3f}"
            cells.append(f"**{value}**" if row["best"] else value)
        rows.append([label, *cells])
    return write_lines(["", *(name_column(group) for _, group in columns)], rows, "---:")


def name_column(group: pd.DataFrame) -> str:
    """Of the rows of a task: LaMP-3 MAE ↓."""
    row = group.iloc[0]
    return f"{row['task']} {METRICS[row['metric']]} {'↑' if row['higher_is_better'] else '↓'}"


def read_costs() -> dict[str, dict[str, float]]:
    """method → means over tasks: training and storage, seconds, and tokens."""
    found: dict[str, list[dict[str, Any]]] = {}
    for cell in read_cells("mini"):
        found.setdefault(cell["method"], []).append(cell)
    return {
        method: {
            "fit": mean(cells, lambda cell: cell["seconds"]["fit"]),
            "user_bytes": mean(cells, lambda cell: cell["cost"]["bytes_per_user"]),
            "user_seconds": mean(cells, lambda cell: cell["cost"]["seconds_per_user"]),
            "tokens": mean(cells, lambda cell: cell["totals"]["prompt_tokens_mean"]),
        }
        for method, cells in found.items()
    }


def write_choice() -> str:
    """Which method for what one has, with the costs of the stored outcome."""
    cost = read_costs()

    def of(method: str, *parts: str) -> str:
        values = cost[method]
        texts = {
            "tokens": f"{values['tokens']:.0f} prompt tokens",
            "shared": f"{values['fit']:.0f} s of training for all users",
            "stored": f"{values['user_bytes'] / 1000:.0f} KB a user",
            "user": f"{values['user_seconds']:.2f} s of training a user",
        }
        return ", ".join(texts[part] for part in parts)

    rows = [
        ("only an API to the LLM, no GPU", "`bm25`", of("bm25", "tokens")),
        ("an API to the LLM, and a sentence encoder", "`dense`", of("dense", "tokens")),
        (
            "the LLM's weights, labeled queries, and new users every day",
            "`pplug-whitened`",
            of("pplug-whitened", "tokens", "shared", "stored"),
        ),
        (
            "the LLM's weights, labeled queries, and room for items in the prompt",
            "`pplug-whitened-dense`",
            of("pplug-whitened-dense", "tokens", "shared", "stored"),
        ),
        (
            "few users, and histories that are training pairs of the task",
            "`oppu`",
            of("oppu", "tokens", "user", "stored"),
        ),
        ("histories, and no LLM at all", "`knn-vote`, `mean-score`", "nothing trained"),
    ]  # fmt: skip
    return write_lines(["you have", "start with", "costs on LaMP-mini"], rows)
