"""Write the tables of README.md and docs/ from the stored outcomes in results/reference.

    python docs/tools/write_tables.py

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; the tests compare each
one with what this script would write.
"""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import stdev
from typing import Any

import pandas as pd

REPOSITORY = Path(__file__).parents[2]
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
OUTCOME = REPOSITORY / "results/reference/mini"
REAL = REPOSITORY / "results/reference/real"
REAL_GPU = REPOSITORY / "results/reference/real-gpu"
COVERAGE = REPOSITORY / "results/reference/coverage.csv"
GPU = REPOSITORY / "results/reference/gpu/measured.json"
COMPARED = re.compile(
    r"^(?P<task>\S+), rouge1 .*\n  (?P<ours>\S+) [\d.]+, (?P<theirs>\S+) [\d.]+\n"
    r"  (?P<verdict>.*)\n  difference (?P<difference>\S+) \[(?P<low>\S+), (?P<high>\S+)\]"
    r".*, p (?P<p>[<=] [\d.]+)$",
    re.MULTILINE,
)
"""A paragraph of `bench compare`."""
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
    """Primary metrics: a line per method, a column per task; in bold what the best may be."""
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
            row = group.set_index("method").loc[method]
            value = f"{row['value']:.3f}"
            cells.append(f"**{value}**" if row["best"] else value)
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
    lines = ["| you have | start with | costs on LaMP-mini |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def write_real(task: str) -> str:
    """One set of suite `real`: scores, their differences and costs, a line per method.

    Bold differences are significant; a bold score is not separable from the best.
    """
    scores = pd.read_csv(REAL / "scores.csv").drop_duplicates(["task", "method"])
    scores = scores[scores["task"] == task]
    costs = _read_real_costs(task)
    lines = [
        "| | R-1 ↑ | to zero-shot | to no user | Δuser | query read | fit s | ms a query |",
        "|---|---:|---|---|---|---:|---:|---:|",
    ]
    for row in scores.to_dict("records"):
        if "@" in row["method"]:
            continue
        score = _thousandths(row["value"])
        if row["seeds"] > 1:
            values = [float(value) for value in row["by_seed"].split()]
            score += f" ± {_thousandths(stdev(values))}"
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


def write_real_compare() -> str:
    """What `bench compare` says of pairs of rows: a line per pair, a column per set.

    Bold differences are significant.
    """
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    for found in COMPARED.finditer((REAL / "compare.txt").read_text(encoding="utf-8")):
        value, low, high = (_signed(float(found[end])) for end in ("difference", "low", "high"))
        text = f"{value} [{low}, {high}]"
        claimed = re.search(" is (better|worse) than ", found["verdict"])
        cell = f"{f'**{text}**' if claimed else text}, p {found['p']}"
        pairs.setdefault((found["ours"], found["theirs"]), {})[found["task"]] = cell
    tasks = list(dict.fromkeys(task for cells in pairs.values() for task in cells))
    lines = [f"| | {' | '.join(tasks)} |", f"|---|{'---|' * len(tasks)}"]
    for (ours, theirs), cells in pairs.items():
        lines.append(f"| `{ours}` − `{theirs}` | {' | '.join(cells[task] for task in tasks)} |")
    return "\n".join(lines)


TEXTS = ("gold", "zero-shot", "dense", "pplug", "pplug-whitened", "pplug-whitened-dense",
         "copy-nearest-response")  # fmt: skip
"""Rows of the table of what generated texts are like."""


def write_real_texts() -> str:
    """How long texts are, how much of them is copied and whose they resemble, in every set."""
    found = pd.concat(pd.read_csv(REAL / f"{name}.csv") for name in ("texts", "attribution"))
    values = found.set_index(["task", "method", "measure"])["value"]
    tasks = list(found["task"].drop_duplicates())
    measures = {"length ratio": "length", "self-copying": "copied", "own author": "author"}
    heads = [f"{head}, {task}" for head in measures.values() for task in tasks]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for method in TEXTS:
        row = [values[task, method, measure] for measure in measures for task in tasks]
        cells = [f"{v:.1f}" if n < len(tasks) else f"{v:.0%}" for n, v in enumerate(row)]
        lines.append(f"| {method if method == 'gold' else f'`{method}`'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gap(row: dict[str, Any], gap: str) -> str:
    """A difference with its interval, in bold where a corrected test finds it."""
    if pd.isna(row[gap]):
        return ""
    value, low, high = (_signed(row[f"{gap}{end}"]) for end in ("", "_low", "_high"))
    text = f"{value} [{low}, {high}]"
    return text if row[f"{gap}_verdict"] == "unclear" else f"**{text}**"


def _read_real_costs(task: str) -> dict[str, tuple[str, str]]:
    """method → seconds of training and milliseconds a query, means over seeds."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in (REAL / "cells.jsonl").read_text(encoding="utf-8").splitlines():
        cell = json.loads(line)
        if cell["task"] == task:
            found.setdefault(cell["method"], []).append(cell)
    return {
        method: (
            f"{_mean(cells, lambda cell: cell['seconds']['fit']):.0f}",
            f"{1000 * _mean(cells, _seconds_a_query):,.0f}",
        )
        for method, cells in found.items()
    }


def _seconds_a_query(cell: dict[str, Any]) -> float:
    return float(cell["seconds"]["predict"] / cell["totals"]["n"])


def write_real_gpu() -> str:
    """Real authors on a GPU: scores and their difference to another user's history."""
    scores = pd.read_csv(REAL_GPU / "scores.csv").drop_duplicates(["task", "method"])
    columns = {task: group.set_index("method") for task, group in scores.groupby("task")}
    heads = [f"{task} R-1 ↑ | Δuser" for task in columns]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|---|' * len(heads)}"]
    for method in scores["method"].drop_duplicates():
        if "@" in method:
            continue
        cells = []
        for group in columns.values():
            row = group.loc[method]
            gap = [row[f"control_difference{end}"] for end in ("", "_low", "_high")]
            cells += [_thousandths(row["value"]), "" if pd.isna(gap[0]) else _interval(*gap)]
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_real_seeds() -> str:
    """Two seeds on LaMP-6, a line per method: scores, and their difference to the control."""
    seeds = pd.read_csv(REAL_GPU / "seeds.csv")
    seeds = seeds[seeds["task"] == "LaMP-6"].set_index("method")[["seed_1", "seed_2"]]
    lines = ["| LaMP-6 R-1 ↑ | seed 1 | seed 2 | Δuser, seed 1 | Δuser, seed 2 |",
             "|---|---:|---:|---:|---:|"]  # fmt: skip
    for method, values in seeds.iterrows():
        if "@" in str(method):
            continue
        control = f"{method}@shuffled-user"
        gaps = list(values - seeds.loc[control]) if control in seeds.index else []
        cells = [_thousandths(v) for v in values] + ([_signed(gap) for gap in gaps] or ["", ""])
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_real_rates() -> str:
    """Losses of held-out train users at three learning rates, the lowest in bold."""
    trials = json.loads((REAL_GPU / "rates.json").read_text(encoding="utf-8"))["trials"]
    tried = pd.DataFrame([t for t in trials if t["rate"] and t["task"] == "LaMP-5"])
    table = tried.pivot_table(index="method", columns="rate", values="loss", sort=True)
    lines = [f"| nats per token | {' | '.join(f'{rate:g}' for rate in table.columns)} |",
             f"|---|{'---:|' * len(table.columns)}"]  # fmt: skip
    for method, losses in table.iterrows():
        cells = [f"**{v:.3f}**" if v == losses.min() else f"{v:.3f}" for v in losses]
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_coverage() -> str:
    """How often simulated intervals held the truth and tests rejected it, over all settings."""
    found = pd.read_csv(COVERAGE)
    lines = [
        "| seeds, training | coverage of 95% intervals | bootstrap | "
        "rejection where nothing differs | bootstrap |",
        "|---|---|---|---|---|",
    ]
    for label, seeds, training in (
        ("untrained rows", 1, 0.0),
        ("3 seeds, small effect", 3, 0.1),
        ("3 seeds, large effect", 3, 0.3),
        ("5 seeds, small effect", 5, 0.1),
        ("5 seeds, large effect", 5, 0.3),
        ("1 seed, large effect", 1, 0.3),
    ):
        of = found[(found["seeds"] == seeds) & (found["training"] == training)]
        null = of[of["null"]]
        cells = [
            _percents(of["covered"]),
            _percents(of["bootstrap_covered"]),
            f"{_percents(null['rejected'])}, mean {null['rejected'].mean():.1%}",
            _percents(null["bootstrap_rejected"]),
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _percents(shares: "pd.Series[float]") -> str:
    return f"{100 * shares.min():.1f} to {shares.max():.1%}"


def write_gpu_training() -> str:
    """PPlug's training step at several sizes of LLM."""
    lines = [
        "| LLM | batch (at once) | s a step | examples/s | TFLOP a step | share of matmul rate | "
        "LLM alone | peak GiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in json.loads(GPU.read_text(encoding="utf-8"))["training"]:
        name = row["model"] + (", `bf16 = true`" if row["variant"] == "bf16 autocast" else "")
        alone = f"{row['llm_alone_share']:.1%}" if "llm_alone_share" in row else ""
        cells = [f"{row['batch']} ({row['micro_batch']})", f"{row['step_seconds']:.2f}",
                 f"{row['examples_per_second']:.1f}", f"{row['tflop_per_step']:.0f}",
                 f"{row['share_of_matmul_rate']:.1%}", alone, f"{row['peak_gib']:.1f}"]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_gpu_generation() -> str:
    """Milliseconds a query with and without soft tokens."""
    lines = ["| LLM | batch | soft tokens | ms a query | peak GiB |", "|---|---:|---:|---:|---:|"]
    for row in json.loads(GPU.read_text(encoding="utf-8"))["generation"]:
        cells = [row["model"], str(row["batch"]), str(row["soft_tokens"]),
                 f"{row['ms_per_query']:.1f}", f"{row['peak_gib']:.1f}"]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _thousandths(value: float) -> str:
    """A score between 0 and 1: .123."""
    return f"{value:.3f}".removeprefix("0")


def _signed(value: float) -> str:
    """A difference below 1: +.123, −.123 or .000."""
    sign = "" if round(value, 3) == 0 else "+" if value > 0 else "−"
    return sign + _thousandths(abs(value))


def _interval(value: float, low: float, high: float) -> str:
    """+.052 [+.034, +.070]; bold where the interval excludes 0."""
    text = f"{_signed(value)} [{_signed(low)}, {_signed(high)}]"
    return f"**{text}**" if low > 0 or high < 0 else text


TABLES = {
    "headline": write_headline,
    "choice": write_choice,
    **{f"real-{task}": partial(write_real, task) for task in ("LaMP-6", "LaMP-4", "LaMP-5")},
    "real-compare": write_real_compare,
    "real-texts": write_real_texts,
    "real-gpu": write_real_gpu,
    "real-seeds": write_real_seeds,
    "real-rates": write_real_rates,
    "coverage": write_coverage,
    "gpu-training": write_gpu_training,
    "gpu-generation": write_gpu_generation,
}


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
