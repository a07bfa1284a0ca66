"""Answers by the likelihood of labels, from bench.toml to stored predictions."""

import pytest

from bench import store
from tasks import TASKS
from tasks.common.errors import ConfigError

BY_LIKELIHOOD = """
[llms.chooser]
model = "{models}/t5"
device = "cpu"
batch_size = 8
decoding = {{ rule = "likelihood" }}
"""
TRAINING = "training = { epochs = 1, batch_size = 4 }"


@pytest.fixture
def project(project, models):
    project.add(BY_LIKELIHOOD.format(models=models))
    project.suite("zero-shot", "bm25", "pplug", "oppu", more=TRAINING)
    return project


def test_every_way_to_personalize_answers_with_labels(project):
    outcomes = project.run("llms=['chooser']")
    assert [str(outcome.state) for outcome in outcomes] == ["done"] * 4
    for outcome in outcomes:
        predictions = store.read_predictions(outcome.cell.folder / store.PREDICTIONS)
        assert len(predictions) == 4
        for one in predictions:
            assert one.text in TASKS.get("LaMP-3").labels
            assert one.prompt_tokens > one.new_tokens == 0
        record = store.read_record(outcome.cell.folder)
        assert record.models.llm["rule"] == "likelihood"


def test_its_cells_have_keys_of_their_own(project):
    cells = project.plan("llms=['t5', 'chooser']", methods=["zero-shot"]).cells
    assert len({cell.key for cell in cells}) == 2


def test_a_task_without_labels_is_refused_before_anything_is_read(project):
    with pytest.raises(ConfigError, match="'chooser' answers by the likelihood of labels, and LaM"):
        project.plan("llms=['t5', 'chooser']", "tasks=['LaMP-3', 'LaMP-5']")


def test_the_table_says_how_answers_are_found(project, bench):
    project.run("llms=['chooser']", "methods=['zero-shot']")
    shown = bench("table", "--set", "llms=['chooser']", "--set", "methods=['zero-shot']").out
    assert "LLM chooser: " in shown
    assert "answers are the likeliest label" in shown
