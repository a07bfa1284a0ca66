"""Tables of docs/real_gpu.md, from one seed on more queries of real authors."""

import json

import pandas as pd
from forms import REFERENCE, interval, read_scores, signed, thousandths

FOLDER = REFERENCE / "real-gpu"


def write_real_gpu() -> str:
    """Real authors on a GPU: scores and their difference to another user's history."""
    scores = read_scores("real-gpu")
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
            cells += [thousandths(row["value"]), "" if pd.isna(gap[0]) else interval(*gap)]
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_real_seeds() -> str:
    """Two seeds on LaMP-6, a line per method: scores, and their difference to the control."""
    seeds = pd.read_csv(FOLDER / "seeds.csv")
    seeds = seeds[seeds["task"] == "LaMP-6"].set_index("method")[["seed_1", "seed_2"]]
    lines = ["| LaMP-6 R-1 ↑ | seed 1 | seed 2 | Δuser, seed 1 | Δuser, seed 2 |",
             "|---|---:|---:|---:|---:|"]  # fmt: skip
    for method, values in seeds.iterrows():
        if "@" in str(method):
            continue
        control = f"{method}@shuffled-user"
        gaps = list(values - seeds.loc[control]) if control in seeds.index else []
        cells = [thousandths(v) for v in values] + ([signed(gap) for gap in gaps] or ["", ""])
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_real_rates() -> str:
    """Losses of held-out train users at three learning rates, the lowest in bold."""
    trials = json.loads((FOLDER / "rates.json").read_text(encoding="utf-8"))["trials"]
    tried = pd.DataFrame([t for t in trials if t["rate"] and t["task"] == "LaMP-5"])
    table = tried.pivot_table(index="method", columns="rate", values="loss", sort=True)
    lines = [f"| nats per token | {' | '.join(f'{rate:g}' for rate in table.columns)} |",
             f"|---|{'---:|' * len(table.columns)}"]  # fmt: skip
    for method, losses in table.iterrows():
        cells = [f"**{v:.3f}**" if v == losses.min() else f"{v:.3f}" for v in losses]
        lines.append(f"| `{method}` | {' | '.join(cells)} |")
    return "\n".join(lines)
