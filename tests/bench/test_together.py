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
from tests.methods.models.launched import run_together
from tests.tiny import tiny_llama

TUNED = """
[llms.tuned]
model = "{models}/llama"
device = "cpu"
decoding = {{ num_beams = 1, max_new_tokens = 4 }}
adapt = "lora"
adaptation = {{ epochs = 1, batch_size = 3, learning_rate = 1e-2 }}
lora = {{ dropout = 0.0 }}

[suites.s]
data = "tiny"
tasks = ["LaMP-3"]
methods = ["mean-score", "bm25", "pplug", "pplug@shuffled-user", "pooled-lora", "user-lora"]
llms = ["tuned"]
encoders = ["bert"]
training = {{ epochs = 2, batch_size = 3, learning_rate = 1e-3 }}
"""
CELLS = 6


@pytest.fixture
def calm(models, tmp_path):
    """The tiny encoder without dropout, whose masks would differ, and a Llama."""
    folder = tmp_path / "calm"
    shutil.copytree(models / "encoder", folder / "encoder")
    config = folder / "encoder" / "config.json"
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config.write_text(json.dumps(json.loads(config.read_text()) | off))
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
    assert run_together(start, both.root, "run") == [0, 0], read_output(both)
    alone.run()
    first, second = read_output(both)
    assert f"{CELLS} done, 0 kept, 0 failed" in first
    assert second == ""
    answers = {path: data for path, data in alone.stored().items() if "predictions" in path}
    assert {path: both.stored()[path] for path in answers} == answers
    assert len(answers) == CELLS
    weights = fitted(alone)
    assert len(weights) >= 3 + 2  # the LLM, PPlug, two users' adapters and the pooled one
    for name, found in fitted(both).items():
        torch.testing.assert_close(found, weights[name], rtol=1e-4, atol=1e-5)
    for row, record in records(both).items():
        other = records(alone)[row]
        assert (record["environment"]["processes"], other["environment"]["processes"]) == (2, 1)
        for part in ("identity", "key", "totals"):
            assert record[part] == other[part], (row, part)
        assert record["fit"]["steps"] == other["fit"]["steps"]


def test_an_error_of_one_process_fails_its_cell_and_a_death_ends_the_run(project):
    """Each with one message, by the main process."""
    project.probe("second", "FailsInTheSecond")
    project.probe("deadly", "DiesInTheSecond")
    project.suite("second", "mean-score", "deadly", "median-score")
    assert run_together(start, project.root, "run") == [2, 9]
    first, second = read_output(project)
    assert second == ""
    assert first.count("failed  LaMP-3 · second") == 1
    assert first.count("error: another process of this run has ended") == 1
    assert "Traceback" not in first.replace("process 2 of 2 failed: Traceback", "")
    (error,) = project.runs.rglob("*.error.txt")
    assert "process 2 of 2 failed" in error.read_text()
    assert "KeyError: 'only here'" in error.read_text()
    assert set(records(project)) == {"mean-score"}


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


def test_only_run_is_shared_and_is_refused_with_one_message(project):
    assert run_together(start, project.root, "table", "s") == [2, 2]
    first, second = read_output(project)
    assert first.startswith(
        "error: 2 processes were started for `bench table`, and only `bench run`"
    )
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
    with pytest.raises(ConfigError, match=r"process 2 of 2 plans other cells.*LaMP-3 · mean-score"):
        check_together(settings, suite, grid, Two(lambda plan: [("x", "y"), *plan[1:]]))
    with pytest.raises(ConfigError, match="beginning with the number of cells"):
        check_together(settings, suite, grid, Two(lambda plan: plan[:1]))
    settings = project.load("workers=2", suite="s")
    with pytest.raises(ConfigError, match="has 2 workers, and 2 processes were started"):
        check_together(settings, settings.suite("s")[1], grid, Two(lambda plan: plan))
    for key, value, why in (
        ("llms.t5.device", "cuda:1", "names a device"),
        ("encoders.bert.device", "cuda:0", "names a device"),
        ("llms.t5.device_map", "auto", "spreads an LLM over GPUs"),
    ):
        settings = project.load(f"{key}={value}")
        _, suite = settings.suite("s")
        with pytest.raises(ConfigError, match=f"{key} = '{value}' {why}"):
            check_together(settings, suite, grid, Two(lambda plan: plan))
