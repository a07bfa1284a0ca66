"""Each number on docs/real.md, real_gpu.md and on_a_gpu.md follows from stored outcomes."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

REPOSITORY = Path(__file__).parents[1]
REAL = REPOSITORY / "results/reference/real"
REAL_GPU = REPOSITORY / "results/reference/real-gpu"
SETS = ["LaMP-4", "LaMP-5", "LaMP-6"]
PLUGS = ["pplug-paper", "pplug", "pplug-whitened", "embedding-to-prefix"]
RETRIEVAL = ["recency", "bm25", "dense", "random", "rerank", "pag"]


def read(page):
    """The page in one line, without its tables."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    text = re.sub(r"<!-- table: .*?<!-- end of table -->", "", text, flags=re.DOTALL)
    return " ".join(text.split())


def decimals(text):
    """Its numbers such as .123 and −.123."""
    return set(re.findall(r"(?<![\d.])[+−]?\.\d{3}", text))


def show(value, *, signed=False):
    sign = ("+" if value > 0 else "−") if signed else ""
    return f"{sign}{abs(value):.3f}".replace("0.", ".", 1)


@pytest.fixture(scope="module")
def rows():
    """(method, set) → its row of the primary metric."""
    scores = pd.read_csv(REAL_GPU / "scores.csv").drop_duplicates(["task", "method"])
    assert (scores["n_failed"] + scores["n_unparsed"]).sum() == 0
    return {(row["method"], row["task"]): row for row in scores.to_dict("records")}


@pytest.fixture(scope="module")
def cells():
    lines = (REAL_GPU / "cells.jsonl").read_text(encoding="utf-8").splitlines()
    return {(cell["method"], cell["task"]): cell for cell in map(json.loads, lines)}


def test_the_numbers_on_real_authors(rows):
    page = read("real_gpu.md")
    user = {place: row["control_difference"] for place, row in rows.items()}
    plugs = [user[method, task] for method in PLUGS for task in SETS]
    retrieval = [(m, task) for m in ("bm25", "dense") for task in SETS]
    gains = [rows["oppu-llama", task]["difference"] for task in SETS]
    pooled = [rows["oppu-llama", t]["value"] - rows["pooled-lora", t]["value"] for t in SETS]
    seeds = pd.read_csv(REAL_GPU / "seeds.csv").set_index(["task", "method"])
    moved = (seeds["seed_1"] - seeds["seed_2"]).abs()["LaMP-6"]
    copied = [rows["copy-nearest-response", task]["value"] for task in ("LaMP-4", "LaMP-6")]
    oppu = [show(user["oppu-llama", task], signed=True) for task in SETS]
    assert oppu[0] == oppu[2]
    claims = [
        f"moves them by up to {show(moved.max())}",
        f"lies between {show(min(plugs), signed=True)} and {show(max(plugs), signed=True)}",
        "lose {} to {} with".format(*_ends([user[place] for place in retrieval])),
        "score {} to {} less".format(*_ends([-rows[place]["difference"] for place in retrieval])),
        f"LaMP-6 alone ({show(user['pplug-dense', 'LaMP-6'], signed=True)})",
        f"({oppu[0]} each; LaMP-5: {oppu[1]}, which includes 0)",
        "of {} to {} on zero-shot".format(*_ends(gains)),
        f"at most {show(max(pooled))} below",
        f"({show(copied[0])} and {show(copied[1])})",
    ]
    assert [claim for claim in claims if claim not in page] == []
    assert decimals(page) == set().union(*map(decimals, claims))


def _ends(values):
    return show(min(values)), show(max(values))


def test_what_real_authors_show(rows):
    def sign(method, task, gap):
        """Of an interval: 1 or −1 where it excludes 0."""
        row = rows[method, task]
        return (row[f"{gap}_low"] > 0) - (row[f"{gap}_high"] < 0)

    def signs(method, gap):
        return [sign(method, task, gap) for task in SETS]

    assert all(signs(method, "control_difference") == [0, 0, 0] for method in PLUGS)
    for method in ("bm25", "dense"):
        assert signs(method, "control_difference") == [1, 1, 1]
        assert signs(method, "difference") == [-1, -1, -1]
    assert signs("oppu-llama", "control_difference") == [1, 0, 1]
    assert signs("pplug-dense", "control_difference") == [0, 0, 1]
    value = {place: row["value"] for place, row in rows.items()}
    above = [sum(value["copy-nearest-response", t] > value[m, t] for m in RETRIEVAL) for t in SETS]
    assert above == [6, 5, 6]
    assert signs("copy-nearest-response", "difference") == [1, -1, 1]
    for method in PLUGS[1:3]:
        for task in SETS:
            if sign(method, task, "instruction_only_difference") > 0:
                control = f"{method}@shuffled-user"
                assert value[control, task] > value["pplug-instruction-only", task]


def test_the_sets_lengths_and_rates_of_real_authors(rows, cells):
    page = read("real_gpu.md")
    assert [rows["zero-shot", task]["n"] for task in SETS] == [178, 300, 300]
    long = [
        cells[m, t]["totals"]["new_tokens_mean"] for m in ("zero-shot", *RETRIEVAL) for t in SETS
    ]
    oppu = [cells["oppu-llama", task]["totals"]["new_tokens_mean"] for task in SETS]
    assert f"({min(long):.0f} to {max(long):.0f} tokens on average)" in page
    assert f"OPPU's after {min(oppu):.0f} to {max(oppu):.0f}" in page
    rates = json.loads((REAL_GPU / "rates.json").read_text(encoding="utf-8"))
    tried = {}
    for trial in rates["trials"]:
        if trial["rate"]:
            assert trial["task"] == "LaMP-5"
            tried.setdefault(trial["method"], {})[trial["rate"]] = trial["loss"]
    assert {len(losses) for losses in tried.values()} == {3}
    best = {method: min(losses, key=losses.get) for method, losses in tried.items()}
    assert rates["chosen"] == best | {"embedding-to-prefix": 1e-3}
    assert (len(best), sum(rate == 3e-3 for rate in best.values())) == (6, 5)
    assert "Five of six methods chose the highest rate" in page


def test_stored_seeds_match_the_scores(rows):
    """And the second changes the order of the trained rows."""
    seeds = pd.read_csv(REAL_GPU / "seeds.csv").set_index(["task", "method"]).loc["LaMP-6"]
    values = seeds[["seed_1", "seed_2"]]
    gaps = values.loc["pplug-whitened"] - values.loc["pplug"]
    assert gaps["seed_1"] > 0 > gaps["seed_2"]
    assert not [method for method in seeds.index if "lora" in method or "oppu" in method]
    for row in pd.read_csv(REAL_GPU / "seeds.csv").to_dict("records"):
        assert row["seed_1"] == rows[row["method"], row["task"]]["value"]


TITLES = {"recency", "bm25", "dense", "random", "rerank", "copy-input", "copy-nearest-response"}
REAL_SETS = ["LaMP-6", "LaMP-4", "LaMP-5"]


@pytest.fixture(scope="module")
def real():
    """(method, set) → its row of the primary metric."""
    scores = pd.read_csv(REAL / "scores.csv").drop_duplicates(["task", "method"])
    assert (set(scores["n"]), set(scores["n_users"])) == ({80}, {40})
    assert list(scores["task"].drop_duplicates()) == REAL_SETS
    return {(row["method"], row["task"]): row for row in scores.to_dict("records")}


def test_verdicts_with_three_seeds_on_real_authors(real):
    methods = {method for method, _ in real if "@" not in method} - {"zero-shot"}
    verdicts = {(m, t): real[m, t]["difference_verdict"] for m in methods for t in REAL_SETS}
    assert "better" not in verdicts.values()
    worse = {task: {m for m in methods if verdicts[m, task] == "worse"} for task in REAL_SETS}
    assert worse == {"LaMP-6": {"pag"}, "LaMP-4": {"pag", "copy-input"}, "LaMP-5": TITLES | {"pag"}}
    personal = {
        (m, t)
        for m in methods
        for t in REAL_SETS
        if real[m, t]["control_difference_verdict"] == "better"
    }
    assert personal == {(m, "LaMP-4") for m in ("bm25", "dense", "pplug-whitened-dense")}
    for task in REAL_SETS[:2]:
        best = max(methods, key=lambda method: real[method, task]["value"])
        assert best == "copy-nearest-response"
    text = (REAL / "compare.txt").read_text(encoding="utf-8")
    assert re.findall(r"  (.*) is (better|worse) than dense\n", text) == [
        ("pplug-whitened-dense", "worse")
    ]
    assert text.count("is statistically indistinguishable") == 8
    assert text.count("$ bench compare") == 3


def test_numbers_with_three_seeds_on_real_authors(real):
    page = read("real.md")
    tokens = [
        real[m, t]["control_difference"] for m in ("pplug", "pplug-whitened") for t in REAL_SETS
    ]
    most = max(
        real[m, t]["control_difference_high"]
        for m in ("pplug", "pplug-whitened")
        for t in REAL_SETS
    )
    titles = {method: real[method, "LaMP-5"] for method, task in real if task == "LaMP-5"}
    bm25, dense = (
        "{}, {} and {}".format(*(show(real[m, t]["control_difference"]) for t in REAL_SETS))
        for m in ("bm25", "dense")
    )
    above = [titles[m]["value"] - titles["dense"]["value"] for m in ("pplug", "pplug-whitened")]
    seeds = real["pplug-instruction-only", "LaMP-6"]["by_seed"].split()
    copied = [real["copy-nearest-response", task]["value"] for task in REAL_SETS[:2]]
    notes = (REAL / "tables.md").read_text(encoding="utf-8")
    found = {task: value for value, task in re.findall(r"([\d.]+) rouge1 on (LaMP-\d)", notes)}
    claims = [
        f"by {show(-max(tokens), signed=True)} to {show(-min(tokens), signed=True)}, and by their "
        f"intervals they lose at most {show(most)}.",
        f"gains {show(titles['pplug-instruction-only']['difference'])} over zero-shot, `pplug` "
        f"{show(titles['pplug']['difference'])}.",
        "score {} and {} higher".format(*map(show, above)),
        f"BM25 loses {bm25} and dense retrieval {dense} on subjects",
        f"reads {titles['dense']['query_read']:.0%} of it",
        f"({show(real['pplug-whitened-dense', 'LaMP-4']['control_difference'], signed=True)})",
        "score {}, {} and {}.".format(*(show(float(value)) for value in seeds)),
        "scores {} and {} on subjects and headlines".format(*map(show, copied)),
        "zero-shot of {}, {} and {} on subjects".format(
            *(show(float(found[task])) for task in REAL_SETS)
        ),
    ]
    assert [claim for claim in claims if claim not in page] == []
    assert decimals(page) == set().union(*map(decimals, claims))


def test_what_generated_texts_of_real_authors_are_like():
    found = pd.concat(pd.read_csv(REAL / f"{name}.csv") for name in ("texts", "attribution"))
    values = found.set_index(["method", "measure"])["value"].sort_index()
    plugs, reading = ["pplug", "pplug-whitened"], ["dense", "pplug-whitened-dense"]

    def ends(methods, measure, form):
        chosen = pd.concat(values[method, measure] for method in methods)
        return f"{form(chosen.min())} to {form(chosen.max())}"

    def percent(value):
        return f"{100 * value:.0f}"

    page = read("real.md")
    for claim in (
        ends([*plugs, *reading, "zero-shot"], "length ratio", lambda v: f"{v:.1f}") + " times",
        f"({ends(plugs, 'own author', percent)}%)",
        f"({ends(['zero-shot'], 'own author', percent)}%)",
        f"({ends(reading, 'own author', percent)}%)",
        f"({ends(reading, 'self-copying', percent)}%)",
    ):
        assert claim in page


def test_the_numbers_measured_on_a_gpu():
    page = read("on_a_gpu.md")
    measured = json.loads((REPOSITORY / "results/reference/gpu/measured.json").read_text())
    rates, steps = measured["matmul_tflops"], {t["model"]: t["steps"] for t in measured["training"]}
    assert f"{min(rates):.0f} to {max(rates):.0f} TFLOP/s in five readings" in page
    assert steps == {"flan-t5-xxl": 6, "llama-3-8b": 6, "smollm2-135m": 23}
    assert "the median of 6 steps (23 for the smallest)" in page
    for row in measured["training"]:
        share = row["tflop_per_step"] / row["step_seconds"] / row["matmul_tflops"]
        assert row["share_of_matmul_rate"] == pytest.approx(share, rel=0.01)
    profile, harness = measured["profile"], measured["harness"]
    assert f"{profile['float32_matmul_ms'] / profile['kernel_ms']:.0%} of the kernels' time" in page
    assert f"{harness['done']} of {harness['cells']} cells finished" in page
    assert harness["done"] + harness["failed"] == harness["cells"]
    same = measured["determinism"]
    assert f"| {same['differ_between_equal_runs']} of {same['texts']} |" in page
    assert f"| {same['differ_between_batches_of_8_and_64']} of {same['texts']} |" in page


@pytest.mark.parametrize(
    "file", [file for file in REAL.parent.rglob("*") if file.is_file()], ids=lambda file: file.name
)
def test_stored_outcomes_name_no_path_of_a_machine(file):
    assert not re.search(r'[" ]/(?!s\b)\w+/', file.read_text(encoding="utf-8"))
