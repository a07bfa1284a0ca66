"""The bounds of a generated world: read from the data, scored like any method."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from methods.bounds import Oracle
from methods.core.method import MethodConfig
from methods.core.runtime import Runtime
from tasks import TASKS, Example
from tasks.common.errors import DataError
from tasks.common.seeds import Seeds
from tasks.data.bounds import read_bounds
from tasks.data.loading import load_dataset
from tasks.mini.world import WorldConfig, write_world

MINI = """
default_suite = "mini"
[store]
runs = "runs"
cache = "cache"
[data.mini]
mini = { users = 12, train_queries = 1, dev_queries = 2 }
[suites.mini]
data = "mini"
tasks = ["LaMP-2", "LaMP-3"]
methods = ["oracle", "user-blind", "random-answer"]
"""


def test_a_suite_can_evaluate_the_bounds(tmp_path: Path) -> None:
    config = tmp_path / "bench.toml"
    config.write_text(MINI)
    result = CliRunner().invoke(app, ["run", "--config", str(config)])
    assert result.exit_code == 0, result.output
    for name in ("oracle", "user-blind", "random-answer"):
        (folder,) = (tmp_path / "runs/mini/LaMP-2" / name).iterdir()
        lines = (folder / "predictions.jsonl").read_text().splitlines()
        (limits,) = (tmp_path / "cache/data").glob("mini-*/time/LaMP_2/new/dev/dev_limits.json")
        answers = json.loads(limits.read_text())[name.removesuffix("-answer")]
        assert {row["id"]: row["text"] for row in map(json.loads, lines)} == answers


def test_bounds_are_read_absent_or_damaged(tmp_path: Path) -> None:
    task = TASKS.get("LaMP-3")()
    write_world(tmp_path, WorldConfig(users=5, train_queries=1), tasks=["LaMP-3"], splits=["time"])
    dev = load_dataset(task, tmp_path, split="time", set="dev")
    limits = read_bounds(task, tmp_path, split="time", set="dev")
    assert limits["oracle"].keys() == {example.id for example in dev.examples}
    (file,) = tmp_path.glob("time/LaMP_3/dev/dev_limits.json")
    file.write_text('{"oracle": {"1": 5}}')
    with pytest.raises(DataError, match=r"dev_limits\.json"):
        read_bounds(task, tmp_path, split="time", set="dev")
    file.unlink()
    assert read_bounds(task, tmp_path, split="time", set="dev") == {}


def test_missing_bounds_are_reported_with_the_example(tmp_path: Path) -> None:
    task = TASKS.get("LaMP-3")()
    runtime = Runtime(task, Seeds.root("test"), 64, tmp_path / "cache", tmp_path / "scratch")
    example = Example("17", "u", task.instruction, "q", "q", ())  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"id '17'.*no oracle answer.*Leave oracle out"):
        Oracle(MethodConfig(), runtime).predict([example])
