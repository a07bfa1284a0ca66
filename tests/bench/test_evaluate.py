"""Metrics by modules of `evaluate`, from bench.toml to the table, CSV and markdown."""

import pytest

from bench import render, store
from bench.results import load_predictions, load_results
from bench.scoring import rescore
from bench.tables import build, to_frame
from tasks.common.errors import ConfigError, StorageError

pytest.importorskip("evaluate")

SOURCE = """
import datasets
import evaluate


class Within(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("float64")
        features = datasets.Features({"predictions": kind, "references": kind})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references, steps):
        near = [float(abs(p - r) <= steps) for p, r in zip(predictions, references)]
        return {"within": sum(near) / len(near), "each": near}
"""
SETTINGS = """
[scoring.evaluate.within]
module = "modules/within"
value = "within"
higher_is_better = true
options = { steps = 1 }
tasks = ["LaMP-3"]

[scoring.evaluate.each]
module = "modules/within/within.py"
value = "each"
higher_is_better = true
options = { steps = 1 }
worst = 0.0
tasks = ["LaMP-3"]
"""
ANSWERS = {"d1": "4", "d2": "1", "d3": "good", "d4": None}  # golds 5, 4, 1, 2
OTHERS = {"d1": "5", "d2": "4", "d3": "2", "d4": "5"}


@pytest.fixture
def project(project, monkeypatch, tmp_path_factory):
    cache = tmp_path_factory.getbasetemp() / "evaluate0"  # one folder: a process imports from one
    monkeypatch.setattr("evaluate.config.HF_MODULES_CACHE", cache / "modules")
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", cache / "metrics")
    folder = project.root / "modules" / "within"
    folder.mkdir(parents=True)
    (folder / "within.py").write_text(SOURCE, encoding="utf-8")
    project.says("row", ANSWERS)
    project.says("other", OTHERS)
    project.suite("row", "other", more='reference = "other"')
    project.add(SETTINGS)
    return project


def table(project, *overrides, **options):
    settings = project.load(*overrides)
    return build(settings, project.plan(*overrides), all_metrics=True, **options)


def test_run_table_csv_and_markdown(project):
    project.run()
    scores = store.read_scores(project.cells()["row"].folder)
    together, each = scores.metrics["evaluate:within"], scores.metrics["evaluate:each"]
    # One of four is near: "good" counts as the farthest label, and the failed answer too.
    assert (together.value, together.rows) == (0.25, None)
    assert each.rows == ((1,), (0,), (0,), (0,))
    assert (each.n, each.n_failed, each.n_unparsed) == (4, 1, 1)
    modules = {module.name: module for module in scores.scoring.evaluate}
    assert modules["within"].module == modules["each"].module == "within"
    assert len(modules["each"].sha256) == 64

    frame = to_frame(table(project)).set_index(["method", "metric"])
    row = frame.loc["row", "evaluate:within"]
    assert (row.value, row.difference) == (0.25, 0.25 - 0.75)
    assert row[["low", "high", "difference_low", "difference_high"]].isna().all()
    assert row.withheld == "known for all examples together only"
    assert frame.loc["row", "evaluate:each"].withheld == "2 users, of 10 needed"
    assert frame["low"].dtype == float
    lines = render.to_csv(table(project)).splitlines()
    assert any(
        line.startswith("LaMP-3,evaluate:within,row,,,0.250000,,,-0.500000,,,,") for line in lines
    )

    text = render.to_markdown(table(project), intervals=True)
    assert "0.250 [no interval]" in text
    assert "evaluate:within: known for all examples together only" in text
    assert f"within of module within, source {modules['within'].sha256[:12]}, evaluate" in text
    assert "failed and unparsed answers count 0" in text
    scores = load_results(project.runs)
    assert "evaluate:within" in set(scores.metric)
    assert {"mae", "evaluate:each"} <= {*load_predictions(project.runs)}
    assert "evaluate:within" not in load_predictions(project.runs)


def test_metrics_are_scored_again_without_a_key_of_their_own(project):
    before = {row: cell.key for row, cell in project.cells().items()}
    plain = project.load()
    project.run()
    changed = "scoring.evaluate.within.options.steps=0"
    assert {row: cell.key for row, cell in project.cells(changed).items()} == before
    with pytest.raises(StorageError, match="Run `bench score`"):
        table(project, changed)
    assert rescore(project.load(changed), project.plan(changed)) == 2
    frame = to_frame(table(project, changed)).set_index(["method", "metric"])
    assert frame.loc["other", "evaluate:within"].value == 0.5
    # A module that has changed since counts as another metric, once a cell is scored by it.
    script = project.root / "modules" / "within" / "within.py"
    script.write_text(SOURCE + "\n\nCHANGED = True\n", encoding="utf-8")
    assert len(table(project, changed).rows) == 2
    row = project.cells()["row"]
    rescore(project.load(changed), project.plan(changed, methods=["row"]))
    assert store.is_done(row.folder)
    with pytest.raises(StorageError, match="scored on other examples, with other metrics"):
        table(project, changed)
    assert plain.scoring.evaluate["within"].module == str(script)


def test_a_faulty_metric_stops_a_run_before_any_answer(project):
    with pytest.raises(ConfigError, match="states no `value`"):
        project.run(
            "scoring.evaluate.bad.module=modules/within",
            "scoring.evaluate.bad.higher_is_better=true",
            'scoring.evaluate.bad.tasks=["LaMP-3"]',
            "scoring.evaluate.bad.options.steps=1",
        )
    with pytest.raises(ConfigError, match="State whether higher_is_better"):
        project.run("scoring.evaluate.within.higher_is_better=false")
    assert not project.runs.exists() or not project.stored()
    with pytest.raises(
        ConfigError, match=r"scoring\.evaluate\.x\.higher_is_better.*Field required"
    ):
        project.load("scoring.evaluate.x.module=here")
    with pytest.raises(ConfigError, match=r"unknown task 'LaMP3'. Did you mean 'LaMP-3'\?"):
        project.load('scoring.evaluate.within.tasks=["LaMP3"]')


def test_without_modules_scores_say_nothing_about_them(project):
    project.run("scoring.evaluate={}")
    cell = project.cells()["row"]
    text = (cell.folder / store.SCORES).read_text(encoding="utf-8")
    assert '"scoring": {\n    "unparsed": "lamp",\n    "aggregator": "mean"\n  }' in text
