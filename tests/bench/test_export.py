"""What `bench export` writes: complete, small, and free of this machine's paths."""

import csv
import json

import pytest

from bench import store
from tests.bench.support import GOLDS

ROWS = ("right", "zero-shot")


@pytest.fixture
def project(project):
    project.says("right", GOLDS)
    project.suite(*ROWS, more='reference = "zero-shot"')
    return project


def test_tables_scores_cells_and_provenance(project, bench):
    assert bench("run").code == 0
    done = bench("export", "kept", "s")
    assert done.code == 0, done.err
    kept = project.root / "kept"
    cells = [json.loads(line) for line in (kept / "cells.jsonl").read_text().splitlines()]
    planned = project.plan().cells
    assert [cell["key"] for cell in cells] == [cell.key for cell in planned]
    record = json.loads((planned[1].folder / store.RECORD).read_text())
    assert cells[1]["seconds"] == record["seconds"]
    assert cells[1]["cost"] == record["cost"]
    assert bench("table", "-f", "markdown", "--all-metrics").out == (kept / "tables.md").read_text()
    scores = list(csv.DictReader((kept / "scores.csv").open()))
    assert {(row["method"], row["metric"]) for row in scores} == {
        (method, metric) for method in ROWS for metric in planned[0].task.metrics
    }
    provenance = json.loads((kept / "provenance.json").read_text())
    assert provenance["cells"] == 2
    assert [e["cells"] for e in provenance["environments"]] == [2]
    assert provenance["environments"][0]["packages"] == record["environment"]["packages"]
    assert provenance["models"] == {"llm": [record["models"]["llm"]], "encoder": []}
    assert provenance["settings"]["methods"] == list(ROWS)


def test_a_suite_with_a_failed_cell_is_not_exported(project, bench):
    project.probe("broken", "Fails", file=project.root / "there")
    project.suite("right", "broken", "zero-shot", name="faulty")
    bench("run", "faulty", "-m", "broken")
    error = bench("export", "kept", "faulty").err
    assert "1 of 3 cells of suite 'faulty' have failed, such as LaMP-3 · broken" in error
    assert "leave the method out of the suite" in error


def test_an_unfinished_suite_is_not_exported(project, bench):
    bench("run", "-m", "right")
    done = bench("export", "kept", "s")
    assert done.code == 2
    assert "1 of 2 cells of suite 's' are not done, such as LaMP-3 · zero-shot" in done.err
    assert not (project.root / "kept").exists()
