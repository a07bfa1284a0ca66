"""Write the tables of README.md and docs/ from the stored outcome in results/reference/mini.

    python docs/tools/write_tables.py

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; the tests compare each
one with what this script would write.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

REPOSITORY = Path(__file__).parents[2]
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
OUTCOME = REPOSITORY / "results/reference/mini"
BLOCK = re.compile(r"(<!-- table: (?P<name>\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

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
    """Primary metrics: a line per method, a column per task, the best method of each in bold."""
    scores = pd.read_csv(OUTCOME / "scores.csv").drop_duplicates(["task", "method"])
    columns = list(scores.groupby("task", sort=False))
    heads = [
        f"{task} {METRICS[group['metric'].iloc[0]]} "
        f"{'↑' if group['higher_is_better'].iloc[0] else '↓'}"
        for task, group in columns
    ]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for method, label in METHODS.items():
        cells = []
        for _, group in columns:
            values = group.set_index("method")["value"]
            methods = values[[name for name, text in METHODS.items() if "*" not in text]]
            best = methods.max() if group["higher_is_better"].iloc[0] else methods.min()
            value = f"{values[method]:.3f}"
            cells.append(f"**{value}**" if method in methods and values[method] == best else value)
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def read_costs() -> dict[str, dict[str, float]]:
    """method → means over tasks: training and storage, seconds, and tokens."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (OUTCOME / "cells.jsonl").read_text(encoding="utf-8").splitlines():
        cell = json.loads(line)
        found.setdefault(cell["method"], []).append(cell)
    return {
        method: {
            "fit": _mean(cells, lambda cell: cell["seconds"]["fit"]),
            "user_bytes": _mean(cells, lambda cell: cell["cost"]["bytes_per_user"]),
            "user_seconds": _mean(cells, lambda cell: cell["cost"]["seconds_per_user"]),
            "tokens": _mean(cells, lambda cell: cell["totals"]["prompt_tokens_mean"]),
        }
        for method, cells in found.items()
    }


def _mean(cells: list[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> float:
    return sum(value(cell) for cell in cells) / len(cells)


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
        ("the same, and a sentence encoder", "`dense`", of("dense", "tokens")),
        (
            "the LLM's weights, labelled queries, and new users every day",
            "`pplug-whitened`",
            of("pplug-whitened", "tokens", "shared", "stored"),
        ),
        (
            "the same, and room in the prompt",
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
    lines = ["| you have | start with | costs on LaMP-mini |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


TABLES = {"headline": write_headline, "choice": write_choice}


def render(text: str) -> str:
    """`text` with every marked table written again."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{TABLES[match['name']]()}\n\n{match[3]}", text)


def main() -> None:
    """Rewrite the pages that hold a table."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (new := render(text)) != text:
            page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
