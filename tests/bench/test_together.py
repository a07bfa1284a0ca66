"""One suite run by two processes over gloo on loopback: what one process gives, and one message."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bench import cli, store
from bench.together import check_together
from methods.models.processes import ALONE, Processes
from tasks.common.errors import ConfigError
from tests.bench.support import make_project
from tests.bench.test_interruption import wait_for
from tests.methods.models.joint import run_together
from tests.tiny import tiny_llama

TUNED = """
[llms.tuned]
model = "{models}/llama"
device = "cpu"
decoding = {{ num_beams = 1, max_new_tokens = 4 }}
adapt = "lora"
adaptation = {{ epochs = 1, batch_size = 3, learning_rate = 1e-2 }}
lora = {{ dropout = 0.0 }}
"""
TRAINING = "training = { epochs = 2, batch_size = 3, learning_rate = 1e-3 }\n"
ROWS = ("zero-shot", "bm25", "mean-score", "pplug", "pooled-lora", "user-lora")


@pytest.fixture(scope="module")
def calm(models, tmp_path_factory):
    """The tiny models without dropout, whose masks would differ, and a Llama."""
    folder = tmp_path_factory.mktemp("calm")
    for name in ("t5", "encoder"):
        shutil.copytree(models / name, folder / name)
        config = folder / name / "config.json"
        settings = json.loads(config.read_text())
        for key in settings.keys() & {"dropout_rate", "hidden_dropout_prob"}:
            settings[key] = 0.0
        config.write_text(json.dumps(settings | {"attention_probs_dropout_prob": 0.0}))
    tiny_llama(folder / "llama")
    return folder


def start(root: Path, *arguments: str):
    """`bench …` in this process, which is one of several; its output in a file of its own."""
    os.chdir(root)
    name = root / f"out-{os.environ['RANK']}"
    with name.open("w", encoding="utf-8") as out:
        sys.argv, sys.stdout, sys.stderr = ["bench", *arguments], out, out
        cli.main()


def read_output(project):
    return tuple((project.root / f"out-{rank}").read_text() for rank in range(2))


def records(project):
    paths = sorted(project.runs.rglob(store.RECORD))
    return {path.parent.parent.name: json.loads(path.read_text()) for path in paths}


def fitted(project):
    """The trained weights of every fit and adapted LLM."""
    files = sorted((project.root / "cache").rglob("*.safetensors"))
    kept = [file for file in files if {"fitted", "adapted", "user-lora"} & {*file.parts}]
    return {str(file.relative_to(project.root)): load_file(file) for file in kept}


def test_two_processes_store_what_one_does(tmp_path, calm):
    both, alone = (make_project(tmp_path / name, calm) for name in ("both", "alone"))
    for project in (both, alone):
        project.add(TUNED.format(models=calm))
        project.suite(*ROWS, more="controls = true\n" + TRAINING)
        project.suite("zero-shot", "pplug", name="tuned", more=TRAINING)
        project.config.write_text(
            project.config.read_text().replace(
                '[suites.tuned]\ndata = "tiny"', '[suites.tuned]\ndata = "tiny"'
            )
        )
    text = both.config.read_text()
    head, tail = text.split("[suites.tuned]")
    for project in (both, alone):
        project.config.write_text(f"{head}[suites.tuned]{tail.replace('t5', 'tuned')}")
    for suite in ("s", "tuned"):
        assert run_together(start, both.root, "run", suite) == [0, 0], read_output(both)[0]
        alone.run(suite=suite)
    first, second = read_output(both)
    assert "2 done, 0 kept, 0 failed" in first
    assert second == ""
    answers = {path: data for path, data in alone.stored().items() if "predictions" in path}
    assert {p: d for p, d in both.stored().items() if "predictions" in p} == answers
    assert len(answers) == 10
    weights = fitted(alone)
    assert len(weights) >= 4
    for name, found in fitted(both).items():
        torch.testing.assert_close(found, weights[name], rtol=1e-4, atol=1e-5)
    for row, record in records(both).items():
        assert record["environment"]["processes"] == 2
        other = records(alone)[row]
        assert other["environment"]["processes"] == 1
        for part in ("identity", "key", "totals", "cost"):
            if (row, part) != ("user-lora", "cost"):  # which holds seconds
                assert record[part] == other[part], (row, part)
        assert record["fit"]["steps"] == other["fit"]["steps"]


def test_a_cell_that_fails_in_one_process_fails_once_and_the_others_go_on(project):
    project.probe("second", "FailsInTheSecond")
    project.suite("second", "mean-score")
    assert run_together(start, project.root, "run") == [1, 1]
    first, second = read_output(project)
    assert second == ""
    assert first.count("failed  LaMP-3 · second") == 1
    assert "1 done, 0 kept, 1 failed" in first
    (error,) = project.runs.rglob("*.error.txt")
    assert "process 2 of 2 failed" in error.read_text()
    assert "KeyError: 'only here'" in error.read_text()


def test_a_process_that_dies_ends_the_run_with_one_message(project):
    project.probe("second", "DiesInTheSecond")
    project.suite("mean-score", "second")
    assert run_together(start, project.root, "run") == [2, 9]
    first, _ = read_output(project)
    assert first.count("error: another process of this run has ended") == 1
    assert "Traceback" not in first
    assert not list(project.runs.rglob("*.error.txt"))
    assert {row for row in records(project)} == {"mean-score"}


def test_ctrl_c_ends_all_processes(project):
    project.probe("slow", "Waits", file=project.root / "begun")
    project.suite("mean-score", "slow")
    started = run_together(start, project.root, "run", join=False)
    wait_for((project.root / "begun").exists)
    for process in started:
        os.kill(process.pid, signal.SIGINT)
    for process in started:
        process.join(60)
        process.kill()
    assert started[0].exitcode == 130
    assert started[1].exitcode in {2, 130}  # it may first notice that the main process is gone
    first, second = read_output(project)
    assert "stopped; finished cells are kept" in first
    assert "Traceback" not in first + second
    assert set(records(project)) == {"mean-score"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("table",), "2 processes were started for `bench table`, and only `bench run`"),
        (("run", "--set", "workers=2"), "has 2 workers, and 2 processes were started"),
        (("run", "nowhere"), "error: suites.nowhere"),
    ],
)
def test_what_cannot_be_run_together_is_one_message(project, arguments, message):
    project.suite("mean-score")
    assert run_together(start, project.root, *arguments) == [2, 2]
    first, second = read_output(project)
    assert message in first
    assert first.count("error:") == 1
    assert second == ""


class Two(Processes):
    """Two processes, of which the other says what `other` returns."""

    number = 2

    def __init__(self, change):
        self.change = change

    def gather(self, value):
        return [value, self.change(value)]


def test_processes_that_plan_other_cells_or_name_gpus_are_refused(project):
    project.suite("mean-score", "zero-shot")
    settings, grid = project.load(), project.plan()
    _, suite = settings.suite("s")
    check_together(settings, suite, grid, Two(lambda plan: plan))
    check_together(settings, suite, grid, ALONE)
    with pytest.raises(ConfigError, match="process 2 of 2 plans other cells.*LaMP-3 · mean-score"):
        check_together(settings, suite, grid, Two(lambda plan: [("x", "y"), *plan[1:]]))
    with pytest.raises(ConfigError, match="beginning with the number of cells"):
        check_together(settings, suite, grid, Two(lambda plan: plan[:1]))
    for key, value in (("device", "cuda:1"), ("device_map", "auto")):
        settings = project.load(f"llms.t5.{key}={value}")
        _, suite = settings.suite("s")
        with pytest.raises(ConfigError, match=rf"llms\.t5\.{key} = '{value}' names GPUs"):
            check_together(settings, suite, grid, Two(lambda plan: plan))
