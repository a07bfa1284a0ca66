"""The committed outcomes: what the documents claim of them holds in their scores."""

from pathlib import Path

import pandas as pd

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


def test_the_legend_says_how_far_seeds_lay_apart():
    folders = [REFERENCE / name for name in ("full", "mixed", "ablations")]
    scores = pd.concat(map(primary_scores, folders))
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
