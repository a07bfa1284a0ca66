"""The papers' numbers: a well-formed file, shown apart from what was measured."""

import re
import shutil

import pandas as pd
import pytest

import bench as library
from bench import render, tables
from bench.published import COLUMNS, load_published, make_section
from bench.settings import load_settings
from tasks import TASKS
from tests.bench.support import GOLDS

UNITS = {"mae": (0, 4), "rmse": (0, 4)}
KEY = ["paper", "table", "split", "set", "task", "metric", "method", "llm", "encoder", "k"]


@pytest.fixture(scope="module")
def numbers():
    return load_published()


def test_every_line_is_complete(numbers):
    assert list(numbers.columns) == list(COLUMNS)
    optional = {"encoder", "k", "max_input_tokens"}
    assert not numbers[[name for name in COLUMNS if name not in optional]].isna().any().any()
    assert all(re.fullmatch(r"\d{4}\.\d{5}v\d+", arxiv) for arxiv in numbers["arxiv"].unique())
    assert set(numbers["split"]) <= {"time", "user"}
    assert set(numbers["set"]) <= {"dev", "test"}


def test_no_number_is_given_twice(numbers):
    assert not numbers.duplicated(KEY).any()


def test_values_are_in_their_metrics_units(numbers):
    for line in numbers.itertuples():
        low, high = UNITS.get(line.metric, (0, 1))
        assert low < line.value < high, line
        assert line.metric in TASKS.get(line.task).metrics, line


def test_methods_llms_and_encoders_are_named_as_in_the_project(numbers):
    settings = load_settings(None)
    methods = set(numbers["method"])
    assert {m for m in methods if settings.variant(m)[0] == m and m not in settings.methods} == {
        "zero-shot",
        "recency",
    }
    assert {"flan-t5-xxl", "llama-2-7b-chat"} <= {
        name for name, llm in settings.llms.items() if llm.model in set(numbers["llm"])
    }
    assert settings.encoder("bge-base").model in set(numbers["encoder"].dropna())


def test_one_set_has_one_size(numbers):
    assert numbers.groupby(["split", "set", "task"])["n"].nunique().max() == 1
    assert numbers[(numbers["task"] == "LaMP-3")]["n"].unique().tolist() == [2500]


def test_metrics_of_one_run_agree(numbers):
    """ROUGE-L is at most ROUGE-1; with whole stars, |e| ≤ e², so the MAE is at most RMSE²."""
    row = [name for name in KEY if name != "metric"]
    wide = numbers.fillna({"encoder": "", "k": 0}).pivot_table("value", row, "metric")
    assert (wide["rougeL"].dropna() < wide["rouge1"].dropna()[wide["rougeL"].notna()]).all()
    errors = wide[["mae", "rmse"]].dropna()
    assert (errors["mae"] <= errors["rmse"] ** 2 + 0.001).all()
    assert (errors["mae"] < errors["rmse"]).all()


def test_tables_of_one_paper_agree(numbers):
    """Table 8 gives PPlug's row of Table 1 with one more digit."""
    pplug = numbers[(numbers["method"] == "pplug") & (numbers["set"] == "dev")]
    pplug = pplug[pplug["encoder"].str.contains("bge") & pplug["llm"].str.endswith("xxl")]
    both = pplug.pivot_table("value", ["task", "metric"], "table")
    assert len(both) == 11
    assert ((both[1] - both[8]).abs() < 0.0006).all()


def test_known_values(numbers):
    """Worked values of Table 1: LaMP-2's gain on the test set is (.559 − .359) / .359 = 56%."""
    chosen = numbers[(numbers.set == "test") & (numbers.task == "LaMP-2") & (numbers.table == 1)]
    accuracy = chosen[chosen.metric == "accuracy"].set_index("method")["value"]
    assert accuracy["pplug"] / accuracy["zero-shot"] - 1 == pytest.approx(0.557, abs=0.001)
    assert accuracy.idxmax() == "pplug"


def test_published_numbers_are_in_the_library():
    pd.testing.assert_frame_equal(library.load_published(), load_published())


@pytest.fixture
def project(project):
    project.says("right", GOLDS)
    project.says("wrong", dict.fromkeys(GOLDS, "3"))
    project.suite("wrong", "right", "zero-shot", more='reference = "wrong"')
    return project


def section(project, *overrides, **options):
    settings, grid = project.load(*overrides), project.plan(*overrides)
    return make_section(settings, grid, tables.build(settings, grid), **options)


def test_terms_that_differ_are_named(project):
    project.run('methods=["wrong", "right"]')
    text = "\n".join(section(project).notes)
    assert "queries scored here and there: LaMP-3 4 and 2500" in text
    assert "LLM t5 here, google/flan-t5-xxl" in text
    assert "prompt tokens here" not in text  # 256 in both
    assert "the dev set here" not in text
    shutil.copytree(project.root / "data/time", project.root / "data/user")
    other = "\n".join(section(project, "max_input_tokens=99", "split=user", "train_limit=3").notes)
    for words in ("99 prompt tokens here, 256 there", "the user split here, time there",
                  "at most 3 train queries here"):  # fmt: skip
        assert words in other


def test_a_world_is_not_the_benchmark():
    settings = load_settings(None, ["evaluate_limit=3"], "mini-limits")
    grid = library.grid.plan(settings, "mini-limits", tasks=["LaMP-3"])
    shown = make_section(settings, grid, tables.build(settings, grid))
    assert any("data mini is a LaMP-mini world" in note for note in shown.notes)


def test_only_the_suites_own_set_and_metric_unless_asked(project):
    (sheet,) = section(project).sheets
    assert [name for _, name in sheet.columns] == ["mae ↓ n=2500"]
    assert "dev set" in sheet.title
    (full,) = section(project, all_metrics=True).sheets
    assert [name for _, name in full.columns] == ["mae ↓ n=2500", "rmse ↓ n=2500"]
    digits = {labels[0]: fields[0].text for labels, fields in sheet.rows if labels[-1] == "8"}
    assert digits == {"pplug": "0.2312", "pplug-no-instruction": "0.2304", "pplug-mean": "0.2320"}


def test_measured_and_published_are_never_in_one_sheet(project, bench):
    project.run('methods=["wrong", "right"]')
    plain, both = bench("table"), bench("table", "--published")
    assert both.code == 0, both.err
    assert both.out.startswith(plain.out)
    assert "published: PPlug (arXiv 2409.11901v2), dev set" in both.out[len(plain.out) :]
    settings, grid = project.load(), project.plan()
    measured = render.make_sheets(tables.build(settings, grid))
    assert {label for sheet in measured for (label, *_), _ in sheet.rows} >= {"right", "wrong"}
    published = section(project).sheets
    assert not {"right", "wrong"} & {labels[0] for sheet in published for labels, _ in sheet.rows}


@pytest.mark.parametrize("other", [("-f", "csv"), ("--slice", "history")])
def test_published_numbers_need_a_table_of_their_own(project, bench, other):
    project.run('methods=["wrong", "right"]')
    done = bench("table", "--published", *other)
    assert (done.code, "load_published()" in done.err) == (2, True)


@pytest.mark.parametrize(("format", "sign"), [("markdown", "| pplug |"), ("latex", "pplug &")])
def test_every_format_has_the_section(project, bench, format, sign):
    project.run('methods=["wrong", "right"]')
    assert sign in bench("table", "--published", "-f", format).out
