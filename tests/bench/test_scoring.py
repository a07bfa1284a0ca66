"""Scores of stored predictions, by hand; scoring again needs no model."""

import math
import sys

import pytest

from bench import store
from bench.scoring import rescore, score_cell
from tasks import TASKS, Prediction
from tasks.scoring import Scoring
from tests.bench.support import GOLDS, USERS
from tests.methods.helpers import example, split

ANSWERS = {"d1": "5", "d2": "3", "d3": "good", "d4": None}  # golds 5, 4, 1, 2
FARTHEST = [0, 1, 4, 3]  # "good" and the failed one stand for the far end: 5 for 1, 5 for 2


def predictions(answers):
    return [Prediction(id, text, error="no") for id, text in answers.items()]


def read_scores(project, row):
    return store.read_scores(project.cells()[row].folder)


@pytest.fixture
def done(project):
    project.says("row", ANSWERS)
    project.suite("row")
    project.run()
    return project


def test_a_cells_scores_are_those_counted_by_hand(done):
    found = read_scores(done, "row")
    assert found.scoring == Scoring(unparsed="lamp", aggregator="mean")
    assert found.ids == tuple(GOLDS)
    assert found.users == tuple(USERS.values())
    mae, rmse = found.metrics["mae"], found.metrics["rmse"]
    assert mae.value == sum(FARTHEST) / 4
    assert rmse.value == pytest.approx(math.sqrt(sum(error**2 for error in FARTHEST) / 4))
    assert mae.rows == tuple((error,) for error in FARTHEST)
    for metric in (mae, rmse):
        assert (metric.n, metric.n_failed, metric.n_unparsed) == (4, 1, 1)
        assert metric.higher_is_better is False


def test_the_order_of_predictions_does_not_matter():
    task = TASKS.get("LaMP-3")()
    examples = [example(id) for id in GOLDS]
    both = [
        score_cell(task, split(GOLDS, examples), answers, Scoring())
        for answers in (predictions(ANSWERS), predictions(ANSWERS)[::-1])
    ]
    assert both[0] == both[1]


def test_a_missing_prediction_counts_as_wrong():
    task = TASKS.get("LaMP-3")()
    found = score_cell(task, split(GOLDS), predictions({"d1": "5"}), Scoring())
    assert found.metrics["mae"].value == (0 + 3 + 4 + 3) / 4
    assert found.metrics["mae"].n_failed == 3


def test_a_set_without_golds_cannot_be_scored():
    with pytest.raises(ValueError, match="no golds"):
        score_cell(TASKS.get("LaMP-3")(), split(None, []), [], Scoring())


def test_scoring_again_follows_the_settings(done):
    settings = done.load("scoring.unparsed=pplug")
    assert rescore(settings, done.plan()) == 1
    found = read_scores(done, "row")
    assert found.scoring.unparsed == "pplug"
    assert found.metrics["mae"].rows == ((0,), (1,), (0,), (3,))  # "good" stands for 1
    assert found.metrics["mae"].n_unparsed == 1


def test_scoring_again_changes_no_byte_where_nothing_changed(done):
    before = done.stored()
    rescore(done.load(), done.plan())
    assert done.stored() == before


def test_only_done_cells_are_scored(project):
    project.says("row", {})
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("row", "broken")
    project.run()
    assert rescore(project.load(), project.plan()) == 1
    assert not project.cells()["broken"].folder.exists()


WITHOUT_TORCH = """
import sys
from bench import cli
for command in ("list", "plan", "score", "table", "run"):
    sys.argv = ["bench", command]
    try:
        cli.main()
    except SystemExit as end:
        assert not end.code, (command, end.code)
    slow = {"torch", "transformers", "sentence_transformers", "pandas", "scipy.stats", "requests"}
    assert not slow & set(sys.modules), (command, slow & set(sys.modules))
from methods import METHODS
for name in METHODS.names():
    METHODS.get(name)  # as a plan of trained methods does
slow = {"transformers", "sentence_transformers", "accelerate", "peft"}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""


def test_no_torch_is_imported_where_nothing_is_computed(project):
    """With every cell done, `bench run` too only looks; methods alone need torch at most."""
    project.says("row", {})
    project.suite("zero-shot", "bm25", "dense", "row", "knn-vote")
    project.run()
    process = project.start(command=(sys.executable, "-c", WITHOUT_TORCH))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "5 cells scored" in out
