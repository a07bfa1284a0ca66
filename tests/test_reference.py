"""The committed outcomes: what the documents claim of them holds in their scores."""

from pathlib import Path

import pandas as pd
import pytest

from bench.tables.marks import ELSEWHERE

REFERENCE = Path(__file__).parents[1] / "results" / "reference"


def primary_scores(folder):
    """Of each row and task the first metric, which is the primary one."""
    return pd.read_csv(folder / "scores.csv").drop_duplicates(["task", "method"])


def test_every_llm_method_lies_between_the_oracle_and_chance():
    primary = primary_scores(REFERENCE / "mini")
    assert primary["task"].nunique() == 6
    for task, rows in primary.groupby("task"):
        sign = 1 if rows["higher_is_better"].all() else -1
        values = sign * rows.set_index("method")["value"]
        of_llms = values[rows.set_index("method")["llm"].notna()]
        assert len(of_llms) == 6
        assert values["random-answer"] < of_llms.min(), (task, of_llms.idxmin())
        assert of_llms.max() < values["oracle"], (task, of_llms.idxmax())


@pytest.mark.parametrize("task", ["LaMP-2", "LaMP-3", "LaMP-7"])
def test_on_global_tastes_pplug_beats_every_control(task):
    """Zero-shot, another user's history, no user at all: each interval lies beyond 0."""
    scores = primary_scores(REFERENCE)
    (row,) = scores[(scores["task"] == task) & (scores["method"] == "pplug-whitened")].to_dict(
        "records"
    )
    assert row["seeds"] == 3
    for gap in ("difference", "control_difference", "instruction_only_difference"):
        worst = row[f"{gap}_low"] if row["higher_is_better"] else -row[f"{gap}_high"]
        assert worst > 0, gap


def test_with_local_tastes_retrieval_wins_and_with_global_ones_pplug():
    """Of suite `mini-dial`, on the tasks whose answer is a label."""
    scores = primary_scores(REFERENCE / "dial").set_index(["task", "method"])["value"]

    def ahead(task, setting):  # of dense retrieval, whichever way the metric runs
        column = f"{task} mini-{setting}"
        gap = scores[column, "pplug-whitened"] - scores[column, "dense"]
        return gap if task == "LaMP-2" else -gap

    for task in ("LaMP-2", "LaMP-3"):
        assert ahead(task, "local") < -0.1
        assert ahead(task, "global") > 0


def test_the_legend_says_how_far_seeds_lay_apart():
    scores = primary_scores(REFERENCE)
    seeded = scores[(scores["seeds"] == 3) & ~scores["method"].str.contains("@")]
    values = seeded["by_seed"].str.split(expand=True).astype(float)
    spans = (values.max(axis=1) - values.min(axis=1)).groupby(seeded["metric"]).max()
    assert spans.round(2).to_dict() == ELSEWHERE


def test_intervals_of_one_seed_hold_the_one_trained_model():
    simulated = pd.read_csv(REFERENCE / "coverage.csv")
    of = simulated[(simulated["seeds"] == 1) & (simulated["training"] == 0.3)]
    shares = of["covered_this_training"]
    page = (REFERENCE.parents[1] / "docs/statistics.md").read_text(encoding="utf-8")
    assert f"({100 * shares.min():.1f} to {shares.max():.1%})" in page
