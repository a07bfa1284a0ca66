"""A metric that can't be computed on this machine: withheld with its reason, and computed later."""

import pytest

from bench import render, slices, store
from bench.report.answers import RowAnswers
from bench.scoring import rescore
from bench.slices.stored import read_rows
from bench.tables import build
from bench.verifying import Count, verify_cells
from tasks.common.errors import ConfigError
from tasks.metrics.generation import Meteor

WHY = (
    "METEOR needs NLTK's WordNet data. Run `python -m nltk.downloader wordnet`, or drop METEOR from "
    "the metrics"
)
SUITE = """
[data.sample]
sample = 0

[suites.long]
data = "sample"
tasks = ["LongLaMP-topic"]
methods = ["says", "other"]
reference = "other"
"""


class NotInstalled:
    def synsets(self, word):
        raise LookupError("wordnet")


class NoSynonyms:
    def synsets(self, word):
        return []


@pytest.fixture
def project(project, monkeypatch):
    project.says("says", {})
    project.says("other", {})
    project.add(SUITE)
    monkeypatch.setattr(Meteor, "_wordnet", NotInstalled())
    return project


@pytest.fixture
def installed(monkeypatch):
    """Call it, and METEOR can be computed."""
    pytest.importorskip("nltk")
    return lambda: monkeypatch.setattr(Meteor, "_wordnet", NoSynonyms())


def table(project):
    return build(project.load(suite="long"), project.plan(suite="long"), all_metrics=True)


def notes(table):
    return [note for note in table.notes if "withheld" in note and "meteor" in note]


def problems(project):
    found = verify_cells(project.load(suite="long"), project.plan(suite="long"), Count())
    return [finding.problem for finding in found]


def test_everything_else_is_scored_and_the_table_says_what_is_missing(project, bench):
    done = bench("run", "long", "--all-metrics")
    assert done.code == 0, done.err
    assert f"warning  LongLaMP-topic  meteor will be withheld: {WHY}" in done.err
    scores = store.read_scores(project.cells(suite="long")["says"].folder)
    assert (list(scores.metrics), scores.withheld) == (["rouge1", "rougeL"], {"meteor": WHY})
    assert [column.metric for column in table(project).columns] == ["rouge1", "rougeL"]
    assert notes(table(project)) == [
        f"meteor is withheld on LongLaMP-topic: {WHY}; then `bench score long` computes it from "
        "the stored predictions"
    ]
    assert "meteor is withheld" in render.to_text(table(project))
    settings, grid = project.load(suite="long"), project.plan(suite="long")
    sliced = slices.build(settings, grid, "history", all_metrics=True)
    assert {score.metric for score in sliced.scores} == {"rouge1", "rougeL"}
    assert notes(sliced) == notes(table(project))
    assert problems(project) == []


def test_installed_later_it_is_computed_from_the_stored_predictions(
    project, installed, monkeypatch
):
    project.run(suite="long")
    installed()
    assert problems(project) == []  # nothing is damaged: it was scored without METEOR
    settings = project.load(suite="long")
    rescore(settings, project.plan(suite="long", methods=["says"]))
    # One cell has it and the other doesn't: rows don't compare, so the column stays away.
    assert notes(table(project))[0].startswith(
        "meteor is withheld on LongLaMP-topic (1 of 2 cells lack it): METEOR needs NLTK's"
    )
    for rows in read_rows(settings, project.plan(suite="long")).values():
        assert {RowAnswers.of(row).metric for row in rows.values()} == {"rouge1"}
    rescore(settings, project.plan(suite="long"))
    assert notes(table(project)) == []
    assert [column.metric for column in table(project).columns] == ["rouge1", "rougeL", "meteor"]
    # Back on a machine without it: shown, never lost, and not said to be verified.
    before = project.stored()
    monkeypatch.setattr(Meteor, "_wordnet", NotInstalled())
    assert [column.metric for column in table(project).columns][-1] == "meteor"
    with pytest.raises(ConfigError, match="meteor is stored and can't be computed here"):
        rescore(settings, project.plan(suite="long"))
    assert project.stored() == before
    assert problems(project) == [f"meteor can't be derived here: {WHY}"] * 2


def test_without_a_withheld_metric_scores_say_nothing_about_it(project, installed):
    installed()
    project.run(suite="long")
    path = project.cells(suite="long")["says"].folder / store.SCORES
    assert "withheld" not in path.read_text(encoding="utf-8")
