"""Tables of docs/lamp_mini.md, from suites of three seeds."""

import re
from itertools import groupby

import pandas as pd
from forms import read_compared, read_scores, signed, thousandths, write_lines
from headline import name_column

SHOWN = (
    *("oracle", "user-blind", "random-answer", "zero-shot", "bm25", "dense", "recency", "random"),
    *("rerank", "pag", "ropg-kd-sharp", "ropg-rl-sharp", "rspg-pre-sharp", "rspg-post-sharp"),
    *("pool-oracle", "oppu", "peft-icitir", "pooled-lora", "embedding-to-prefix", "pplug"),
    *("pplug-instruction-only", "pplug-whitened", "pplug-whitened-mean", "pplug-whitened-dense"),
)
"""Methods of the table of results; those of LaMP-1, -4 and -5 are fewer."""
LABELS = {"": "", "better": " ▲", "worse": " ▼"}
"""Of verdicts about the difference to zero-shot."""


def write_mini_results() -> str:
    """Primary metrics, a line per method and a column per task, of the first suite that has it.

    Bold: not separable from the best. ▲ and ▼: better or worse than zero-shot. °: better than
    itself with another user's history. All by tests that are corrected for the rows.
    """
    scores = pd.concat(map(read_scores, ("full", "mixed", "ablations")))
    scores = scores.drop_duplicates(["task", "method"])
    columns = dict(iter(scores.groupby("task")))
    order = ["LaMP-2", "LaMP-3", "LaMP-7", "LaMP-1", "LaMP-4", "LaMP-5"]
    rows = []
    for method in SHOWN:
        cells = [_write_score(columns[task], method) for task in order]
        rows.append([f"`{method}`", *cells])
    return write_lines(["", *(name_column(columns[task]) for task in order)], rows, "---:")


def _write_score(group: pd.DataFrame, method: str) -> str:
    found = group[group["method"] == method]
    if found.empty:
        return ""
    row = found.iloc[0]
    score = thousandths(row["value"])
    marked = f"**{score}**" if row["best"] else score
    personal = "°" if row["control_difference_verdict"] == "better" else ""
    return f"{marked}{LABELS.get(row['difference_verdict'], '')}{personal}"


def write_mini_seeds() -> str:
    """Each seed's score of the rows of mini-ablations, a column per task."""
    scores = read_scores("ablations")
    scores = scores[(scores["seeds"] > 1) & ~scores["method"].str.contains("@")]
    columns = {task: group.set_index("method") for task, group in scores.groupby("task")}
    rows = []
    for method in scores["method"].drop_duplicates():
        cells = []
        for group in columns.values():
            values = sorted(float(value) for value in group.loc[method, "by_seed"].split())
            cells.append(", ".join(map(thousandths, values)))
        rows.append([f"`{method}`", *cells])
    heads = [name_column(group.reset_index()) for group in columns.values()]
    return write_lines(["seeds, sorted", *heads], rows)


def write_mini_dial() -> str:
    """PPlug against dense retrieval, a line per setting of the dial and a column per task.

    Bold differences are significant; ▲ is better for PPlug, ▼ worse.
    """
    found = [one for one in read_compared("dial") if one["theirs"] == "dense"]
    found = [one for one in found if one["ours"] == "pplug-whitened"]
    tasks = {
        task: {one["task"].split()[1]: _write_gap(one) for one in group}
        for task, group in groupby(found, key=lambda one: one["task"].split()[0])
    }
    settings = list(next(iter(tasks.values())))
    rows = [[f"`{setting}`", *(of[setting] for of in tasks.values())] for setting in settings]
    return write_lines(["", *tasks], rows)


def _write_gap(one: dict[str, str]) -> str:
    value, low, high = (signed(float(one[end])) for end in ("difference", "low", "high"))
    text = f"{value} [{low}, {high}]"
    claim = re.search(" is (better|worse) than ", one["verdict"])
    return f"**{text}**{LABELS[claim[1]]}" if claim else text
