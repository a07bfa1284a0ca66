"""A metric that names an encoder: from bench.toml to records, tables and slices."""

import pytest

from bench import slices, store
from bench.tables import build, to_frame
from tasks.common.errors import ConfigError

pytest.importorskip("evaluate")

SETTINGS = """
[scoring.evaluate.bertscore-bert]
encoder = "bert"
higher_is_better = true
options = { layer = 1 }
tasks = ["LaMP-3"]
"""
NAME = "evaluate:bertscore-bert"


@pytest.fixture
def project(project):
    project.says("row", {"d1": "5", "d2": "1", "d3": None, "d4": "2"})  # golds 5, 4, 1, 2
    project.says("other", {})
    project.suite("row", "other", more='reference = "other"')
    project.add(SETTINGS)
    return project


def test_scored_recorded_and_shown(project):
    project.run()
    scores = store.read_scores(project.cells()["row"].folder)
    values = [value for (value,) in scores.metrics[NAME].rows]
    assert (values[0], values[3]) == pytest.approx((1, 1))
    assert values[1] < 1
    assert values[2] == 0
    (module,) = scores.scoring.evaluate
    assert (module.module, module.config, module.value, module.encoder) == (
        "methods.models.bertscore:BertScore", "bert", "f1", None,
    )  # fmt: skip
    assert len(module.sha256) == 64
    settings, grid = project.load(), project.plan()
    table = build(settings, grid, all_metrics=True)
    assert NAME in set(to_frame(table)["metric"])
    (note,) = [note for note in table.notes if note.startswith(NAME)]
    assert f"f1 of module methods.models.bertscore:BertScore, source {module.sha256[:12]}" in note
    assert "config bert" in note
    assert "layer=1" in note
    parts = slices.build(settings, grid, "history", all_metrics=True)
    assert NAME in {score.metric for score in parts.scores}


def test_a_wrong_encoder_or_class_is_named(project):
    with pytest.raises(ConfigError, match=r"unknown encoder 'bort'\. Did you mean 'bert'"):
        project.load("scoring.evaluate.bertscore-bert.encoder=bort")
    for module, message in (
        ("methods.models.bertscore:Bert", "can't be imported"),
        ("nowhere.file:Class", "can't be imported"),
        ("methods.models.bertscore:States", "no module of evaluate"),
    ):
        with pytest.raises(ConfigError, match=message):
            project.run(f"scoring.evaluate.bertscore-bert.module={module}")
    with pytest.raises(ConfigError, match="can't be made"):
        project.run(
            "scoring.evaluate.x.module=methods.models.bertscore:BertScore",
            "scoring.evaluate.x.higher_is_better=true",
            'scoring.evaluate.x.tasks=["LaMP-3"]',
        )
    assert not project.runs.exists() or not project.stored()
