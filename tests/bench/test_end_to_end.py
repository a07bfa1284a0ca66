"""Every registered method with its control, on two kinds of task, by the real command."""

import io
import json

import pandas as pd
import pytest

from bench import store
from methods import METHODS
from tasks import TASKS
from tasks.mini.world import WorldConfig, write_world

TASK_NAMES = ("LaMP-3", "LaMP-4")
WORLD = WorldConfig(users=6, train_queries=1, dev_queries=1, longest_history=12)
DEV = 6


@pytest.fixture
def project(project):
    write_world(project.root / "data", WORLD, tasks=TASK_NAMES, splits=["time"])
    project.suite(
        *METHODS.names(),
        more=f"tasks = {json.dumps(TASK_NAMES)}\ncontrols = true\ntraining = {{ epochs = 1 }}",
    )
    project.config.write_text(
        project.config.read_text().replace('tasks = ["LaMP-3"]\n', "")
        + "[scoring]\nresamples = 100\n"
    )
    return project


def call(project, *arguments, code=0):
    process = project.start(*arguments)
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, err
    return out, err


@pytest.mark.timeout(300)
def test_every_method(project, bench):
    cells = project.plan().cells
    wanted = {
        (method, task)
        for method in METHODS.names()
        for task in TASK_NAMES
        if METHODS.get(method).applicable(TASKS.get(task))
    }
    rows = {(cell.variant, cell.task.name) for cell in cells}
    assert wanted < rows
    assert {("pplug@shuffled-user", task) for task in TASK_NAMES} < rows - wanted

    out, err = call(project, "run")
    assert f"{len(cells)} done, 0 kept, 0 failed" in err
    assert all(store.is_done(cell.folder) for cell in cells)
    assert {len(store.read_predictions(c.folder / store.PREDICTIONS)) for c in cells} == {DEV}
    assert "Δuser" in out

    before = project.times()
    _, err = call(project, "run")
    assert f"0 done, {len(cells)} kept, 0 failed" in err
    assert project.times() == before

    stored = project.stored()
    assert bench("score").out == f"{len(cells)} cells scored\n"
    assert project.stored() == stored

    frame = pd.read_csv(io.StringIO(bench("table", "-f", "csv", "--all-metrics").out))
    assert {(row.method, row.task) for row in frame.itertuples()} == rows
    assert set(frame.n) == {DEV}
    assert set(frame.n_failed) == {0}
    assert frame[["low", "high"]].isna().all(axis=None)
    assert frame.withheld.str.endswith("of 10 needed").all()
