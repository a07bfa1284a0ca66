"""Each sentence of docs/lamp_mini.md that compares methods follows from stored verdicts."""

import re
import runpy
from pathlib import Path

import pandas as pd
import pytest

REPOSITORY = Path(__file__).parents[1]
REFERENCE = REPOSITORY / "results/reference"
PAGE = (REPOSITORY / "docs/lamp_mini.md").read_text(encoding="utf-8")
read_compared = runpy.run_path(str(REPOSITORY / "docs/tools/tables/forms.py"))["read_compared"]
GAPS = {
    "zero-shot": "difference_verdict",
    "another user": "control_difference_verdict",
    "no user": "instruction_only_difference_verdict",
}
"""What a row is compared with in its table → the column that says how."""
FOLDERS = ("full", "mixed", "ablations", "dial")


@pytest.fixture(scope="module")
def verdicts():
    """(method, what it is compared with) → task → better, worse or unclear."""
    found = {}
    for folder in FOLDERS:
        scores = pd.read_csv(REFERENCE / folder / "scores.csv")
        for row in scores.drop_duplicates(["task", "method"]).to_dict("records"):
            for other, column in GAPS.items():
                if isinstance(row[column], str) and row["method"] != other:
                    add(found, (row["method"], other), row["task"], row[column])
        for pair in read_compared(folder):
            claim = re.search(" is (better|worse) than ", pair["verdict"])
            verdict = claim[1] if claim else "unclear"
            add(found, (pair["ours"], pair["theirs"]), pair["task"], verdict)
    return found


def add(found, pair, task, verdict):
    found.setdefault(pair, {}).setdefault(task, verdict)


def find_sentences(heading):
    """Of the section's prose, without its tables, pictures and words in bold at the beginning."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    section = re.sub(r"<!-- table: .*?<!-- end of table -->", "", section, flags=re.DOTALL)
    blocks = re.split(r"\n\n|\n- ", section)
    prose = [" ".join(block.split()) for block in blocks if not block.strip().startswith("![")]
    return [one for block in prose for one in re.split(r"(?<=[.:]) (?=[A-Z`*\[])", block) if one]


MIXED, GLOBAL = ("LaMP-4", "LaMP-5"), ("LaMP-2", "LaMP-3", "LaMP-7")
FULL = ("LaMP-3", "LaMP-7")
ALL = ("LaMP-1", *MIXED, *GLOBAL)
PLUG, PLUG_DENSE = "pplug-whitened", "pplug-whitened-dense"


def on(better=(), worse=(), unclear=()):
    """task → verdict."""
    return {
        task: verdict
        for verdict, tasks in {"better": better, "worse": worse, "unclear": unclear}.items()
        for task in ([tasks] if isinstance(tasks, str) else tasks)
    }


def at(setting, tasks=GLOBAL):
    """The columns of a setting of the dial."""
    return tuple(f"{task} mini-{setting}" for task in tasks)


CLAIMS = {
    "is statistically indistinguishable from the user-blind optimum on all six tasks": {
        ("user-blind", "zero-shot"): on(unclear=ALL),
    },
    "BM25 beats zero-shot and dense retrieval.": {
        ("bm25", "zero-shot"): on(better="LaMP-1"),
        ("bm25", "dense"): on(better="LaMP-1"),
    },
    "Dense retrieval is not shown to beat zero-shot, but needs its user.": {
        ("dense", "zero-shot"): on(unclear="LaMP-1"),
        ("dense", "another user"): on(better="LaMP-1"),
    },
    "PPlug, one vector for a whole history, is not shown to beat zero-shot either, yet it needs": {
        (PLUG, "zero-shot"): on(unclear="LaMP-1"),
        (PLUG, "another user"): on(better="LaMP-1"),
    },
    "BM25 and dense retrieval beat zero-shot, and dense retrieval beats BM25.": {
        ("bm25", "zero-shot"): on(better=MIXED),
        ("dense", "zero-shot"): on(better=MIXED),
        ("bm25", "dense"): on(worse=MIXED),
    },
    "PPlug needs its user, but is not shown to beat zero-shot and is worse than both.": {
        (PLUG, "another user"): on(better=MIXED),
        (PLUG, "zero-shot"): on(unclear=MIXED),
        (PLUG, "dense"): on(worse=MIXED),
        (PLUG, "bm25"): on(worse=MIXED),
    },
    "whitened PPlug needs its user on all three and beats zero-shot on LaMP-3 and -7": {
        (PLUG, "another user"): on(better=GLOBAL),
        (PLUG, "zero-shot"): on(better=("LaMP-3", "LaMP-7"), unclear="LaMP-2"),
    },
    "it beats zero-shot on LaMP-7 and is worse on LaMP-3.": {
        ("pplug", "zero-shot"): on(better="LaMP-7", worse="LaMP-3"),
    },
    "beats PPlug alone on LaMP-1, -4 and -5.": {
        (PLUG_DENSE, PLUG): on(better=("LaMP-1", *MIXED), unclear=FULL),
    },
    "It is not shown to beat dense retrieval alone on any of the five tasks where it ran.": {
        (PLUG_DENSE, "dense"): on(unclear=("LaMP-1", *MIXED, *FULL)),
    },
    "(OPPU) needs its user on LaMP-3 and -7.": {
        ("oppu", "another user"): on(better=FULL),
    },
    "It beats zero-shot on LaMP-3 and is worse on LaMP-7": {
        ("oppu", "zero-shot"): on(better="LaMP-3", worse="LaMP-7"),
    },
    "is not shown to beat the dense retriever that it starts from, and KD is worse on LaMP-7": {
        ("ropg-kd-sharp", "dense"): on(worse="LaMP-7", unclear="LaMP-3"),
        ("ropg-rl-sharp", "dense"): on(unclear=FULL),
    },
    "is worse than dense retrieval on LaMP-3 and -7.": {
        ("rspg-pre-sharp", "dense"): on(worse=FULL),
        ("rspg-post-sharp", "dense"): on(worse=FULL),
    },
    "asked the question that this LLM was taught, beats zero-shot on LaMP-7, but not on LaMP-3.": {
        ("pag", "zero-shot"): on(better="LaMP-7", unclear="LaMP-3"),
    },
    "It is worse than dense retrieval on LaMP-3 and -7.": {
        ("pag", "dense"): on(worse=FULL),
    },
    "by the query's likelihood is worse than its dense order on LaMP-3.": {
        ("rerank", "dense"): on(worse="LaMP-3", unclear="LaMP-7"),
    },
    "the test finds that whitening helps, and no more": {
        (PLUG, "pplug-labels"): on(better="LaMP-2"),
        **{
            (PLUG, f"{PLUG}-{name}"): on(unclear="LaMP-2")
            for name in (
                *("mean", "no-instruction", "frozen-encoder", "top-4", "4-tokens", "recent"),
                "sharp",
            )
        },
    },
    "a sharper softmax is better than the full method, and nothing else is shown to differ": {
        (PLUG, f"{PLUG}-sharp"): on(worse="LaMP-3"),
        (PLUG, "pplug-labels"): on(unclear="LaMP-3"),
        **{
            (PLUG, f"{PLUG}-{name}"): on(unclear="LaMP-3")
            for name in ("mean", "no-instruction", "frozen-encoder", "top-4", "4-tokens", "recent")
        },
    },
    "dense retrieval is better on all three tasks": {(PLUG, "dense"): on(worse=at("local"))},
    "PPlug is better on LaMP-3 alone": {
        (PLUG, "dense"): on(
            better="LaMP-3 mini-global", unclear=at("global", ("LaMP-2", "LaMP-7"))
        ),
    },
    "is worse than dense retrieval where preferences are local": {
        ("bm25", "dense"): on(worse=at("local")),
    },
}
"""Words of the page → what they compare → task → verdict."""


@pytest.mark.parametrize("words", CLAIMS)
def test_what_a_sentence_claims_is_what_was_tested(verdicts, words):
    assert words in " ".join(PAGE.split())
    for pair, claimed in CLAIMS[words].items():
        assert {task: verdicts[pair][task] for task in claimed} == claimed, pair


COMPARING = re.compile(r"\b(beats?|better|worse|needs its user|indistinguishable|shown to)\b")


@pytest.mark.parametrize("heading", ["Results", "The dial"])
def test_every_comparing_sentence_is_tested(heading):
    legend = ("▲", "These are [tests]", "On LaMP-2, seeds of one row")
    untested = [
        sentence
        for sentence in find_sentences(heading)
        if COMPARING.search(sentence)
        and not any(mark in sentence for mark in legend)
        and not any(sentence.strip("*") in words or words in sentence for words in CLAIMS)
    ]
    assert untested == []


def test_seeds_of_one_row_differ_as_much_as_the_page_says():
    scores = pd.read_csv(REFERENCE / "ablations/scores.csv").drop_duplicates(["task", "method"])
    rows = scores[(scores["task"] == "LaMP-2") & ~scores["method"].str.contains("@")]
    values = rows["by_seed"].str.split(expand=True).astype(float)
    most = (values.max(axis=1) - values.min(axis=1)).max()
    assert f"differ by up to {most:.2f}".replace("0.", ".") in " ".join(PAGE.split())


def test_what_the_first_page_says_of_the_dial(verdicts):
    page = " ".join((REPOSITORY / "README.md").read_text(encoding="utf-8").split())
    assert "On local preferences dense retrieval is better than PPlug" in page
    assert "on global ones PPlug is better on LaMP-3 and not separable from it on the other" in page
    found = verdicts[PLUG, "dense"]
    assert [found[task] for task in at("local")] == ["worse"] * 3
    assert [found[task] for task in at("global")] == ["unclear", "better", "unclear"]
