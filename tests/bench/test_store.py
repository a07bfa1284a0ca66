"""Cells are stored whole or not at all; damaged files and unwritable folders are named."""

import errno
import os
import re
import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest

from bench import store
from bench.announcing import LOGS
from bench.locks import LOCKS
from methods.models.checkpoint import Checkpoint
from tasks import Prediction
from tasks.common.errors import StorageError

ANSWERS = [
    Prediction("a", "Zoë — 日本", ("p1", "p2"), 10, 2, 3, note="cut"),
    Prediction("b", None, error="no prompt"),
]


def test_predictions_come_back_as_they_were(tmp_path):
    path = tmp_path / "predictions.jsonl"
    store.write_predictions(path, ANSWERS)
    assert store.read_predictions(path) == ANSWERS
    assert "日本" in path.read_text(encoding="utf-8")


def test_equal_predictions_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        store.write_predictions(tmp_path / name, ANSWERS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-20], "line 2 is damaged"),
        (lambda data: b"{}\n" + data, "line 1 is damaged"),
        (lambda data: data.replace(b'"text"', b'"txet"', 1), "line 1 is damaged"),
        (lambda data: b"\xff" + data, "line 1 is damaged"),
        (lambda data: b"3\n" + data, "line 1 is damaged"),
        (lambda data: None, "is missing"),
    ],
)
def test_damaged_predictions_are_named(tmp_path, damage, message):
    path = tmp_path / "predictions.jsonl"
    store.write_predictions(path, ANSWERS)
    data = damage(path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(StorageError) as error:
        store.read_predictions(path)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "run the same command again" in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"key": ', "is damaged"),
        (b"\xff", "is damaged"),
        (b"", "is damaged"),
        (b"[1]", "is not a cell's record"),
        (b"[" * 100_000, "is damaged"),
        (None, "is missing"),
    ],
)
def test_a_damaged_record_is_named(tmp_path, content, message):
    path = tmp_path / store.RECORD
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError) as error:
        store.read_record(tmp_path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_a_cell_appears_when_its_block_ends_well(tmp_path):
    folder = tmp_path / "runs" / "0-key"
    with store.create_cell(folder) as temporary:
        (temporary / store.RECORD).write_text("{}")
        assert not folder.exists()
        assert not store.is_done(folder)
    assert store.is_done(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["0-key"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_cell_whose_block_fails_leaves_nothing(tmp_path, fault):
    folder = tmp_path / "runs" / "0-key"

    def fail():
        with store.create_cell(folder) as temporary:
            (temporary / store.RECORD).write_text("{}")
            raise fault

    with pytest.raises(fault):
        fail()
    assert list(folder.parent.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    folder = tmp_path / "0-key"
    writes = (
        "import sys, os; from pathlib import Path; from tasks.common.parts import create_part\n"
    )
    dies = f"{writes}(create_part(Path(sys.argv[1]), folder=True) / 'half').touch(); os._exit(1)"
    subprocess.run([sys.executable, "-c", dies, str(folder)], check=False)
    assert [path.name for path in tmp_path.rglob("half")]
    with store.create_cell(folder) as temporary:
        (temporary / store.RECORD).write_text("{}")
    assert [path.name for path in tmp_path.rglob("*")] == ["0-key", store.RECORD]


def test_two_writers_of_one_cell_do_not_touch_each_others_files(tmp_path):
    """Node-local caches hold no common lock: the first to finish is kept, whole."""
    folder = tmp_path / "0-key"
    with store.create_cell(folder) as first:
        with store.create_cell(folder) as second:
            (second / store.RECORD).write_text("{}")
        (first / store.RECORD).write_text("[]")
    assert (folder / store.RECORD).read_text() == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["0-key"]


def test_a_folder_without_a_record_is_no_result_and_is_replaced(tmp_path):
    folder = tmp_path / "0-key"
    folder.mkdir()
    (folder / "left-over").touch()
    assert not store.is_done(folder)
    with store.create_cell(folder) as temporary:
        (temporary / store.RECORD).write_text("{}")
    assert [path.name for path in folder.iterdir()] == [store.RECORD]


@pytest.mark.parametrize("command", ["show", "score"])
def test_damaged_predictions_stop_the_command_by_name(project, bench, command):
    project.says("sound", {})
    project.suite("sound")
    (outcome,) = project.run()
    path = outcome.cell.folder / store.PREDICTIONS
    path.write_bytes(path.read_bytes()[:-5])
    done = bench(command, *([outcome.cell.key] if command == "show" else []))
    assert done.code == 2
    assert done.err.startswith(f"error: {path}: line 4 is damaged")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", [store.RECORD, store.SCORES])
def test_a_damaged_file_stops_show_by_name(project, bench, name):
    project.says("sound", {})
    project.suite("sound")
    (outcome,) = project.run()
    path = outcome.cell.folder / name
    path.write_text("{")
    done = bench("show", outcome.cell.key)
    assert done.code == 2
    assert done.err.startswith(f"error: {path}: is damaged")


def test_damaged_scores_stop_the_table_by_name_and_bench_score_repairs_them(project, bench):
    project.says("sound", {})
    project.suite("sound")
    (outcome,) = project.run()
    path = outcome.cell.folder / store.SCORES
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    done = bench("table")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: {path}: is damaged")
    assert bench("score").code == 0
    assert path.read_bytes() == whole


@contextmanager
def files_up_to(size):
    """The operating system refuses to let any file grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def results(project):
    """Everything under the runs but locks and logs."""
    return [path for path in project.runs.rglob("*") if {LOCKS, LOGS}.isdisjoint(path.parts)]


def leftovers(project):
    """Temporary files and folders that a run left behind."""
    places = [project.runs, project.root / "cache"]
    names = [path for place in places for path in place.rglob("*")]
    return [path for path in names if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("size", "file"),
    [
        (40, ".logs"),
        (40, "fit.json"),
        (300, "predictions-0.jsonl"),
        (780, "scores.json"),
        (1500, "cell.json"),
    ],
)
def test_a_full_disk_loses_nothing(project, bench, monkeypatch, size, file):
    project.says("first", {"d1": "4"})
    project.says("second", {"d1": "3"})
    project.suite("first", "second")
    assert bench("run", "-m", "first").code == 0
    before, times = project.stored(), project.times()
    with files_up_to(size), monkeypatch.context() as patch:
        if file == "fit.json":  # which is shorter than a log
            patch.setattr("bench.announcing.announce", lambda *_, **__: None)
        done = bench("run")
    assert done.code == 2
    assert file in done.err
    assert re.search(r"can't be (written|stored) \(File too large\)\. Free (disk )?space", done.err)
    assert "run the same command again" in done.err
    assert "Traceback" not in done.err
    assert project.stored() == before
    assert {path: times[path] for path in times if path.startswith("s/LaMP-3/first/")} == {
        path: time for path, time in project.times().items() if path.startswith("s/LaMP-3/first/")
    }
    assert not list((project.runs / "s/LaMP-3").glob("second/*"))
    assert leftovers(project) == []
    after = bench("run")
    assert after.code == 0
    assert "1 done, 1 kept, 0 failed" in after.err


def test_no_space_left_is_said_in_these_words(project, bench, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    project.says("first", {})
    project.suite("first")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = bench("run")
    assert done.code == 2
    assert "can't be stored (No space left on device). Free space" in done.err
    assert results(project) == []


@pytest.mark.parametrize("file", ["checkpoint", "plug.safetensors"])
def test_a_full_disk_while_a_plug_is_trained_or_saved(project, bench, monkeypatch, file):
    """Weights are written by safetensors and torch, which have errors of their own."""
    project.suite("pplug", more="training = { epochs = 1 }")
    with monkeypatch.context() as patch, files_up_to(60_000):
        if file == "plug.safetensors":
            patch.setattr(Checkpoint, "save", lambda *_: None)
        done = bench("run")
    assert done.code == 2, done.err
    assert file in done.err
    assert "can't be written" in done.err
    assert "Traceback" not in done.err
    assert results(project) == []
    assert leftovers(project) == []
    assert bench("run").code == 0


@pytest.mark.parametrize("place", ["runs", "cache"])
def test_a_folder_that_cannot_be_written_is_named(project, bench, place):
    (project.root / "file").touch()
    project.suite("zero-shot", "mean-score", "dense")
    done = bench("run", "--set", f"store.{place}=file/{place}")
    assert done.code == 2
    assert f"{project.root}/file/{place}" in done.err
    assert "can't be" in done.err
    assert "Traceback" not in done.err


def test_a_cache_for_the_sample_that_cannot_be_written_is_named(project, bench):
    (project.root / "file").touch()
    project.add("[data.sample]\nsample = 0\n")
    project.suite("mean-score")
    done = bench("plan", "--set", "data=sample", "--set", "store.cache=file/cache")
    assert done.code == 2
    assert f"{project.root}/file/cache" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_cell_that_another_process_is_running_is_left_to_it(project, bench, elsewhere):
    """Also by a process with a cache of its own, which spells the folder of the runs differently:
    the normal cluster, with caches local to its nodes.
    """
    project.says("first", {"d1": "4"})
    project.says("second", {"d1": "3"})
    project.suite("first", "second")
    taken = project.cells()["first"].folder
    holder = (
        "import sys, time; from pathlib import Path; from bench.locks import lock_cell\n"
        "with lock_cell(Path(sys.argv[1]), Path(sys.argv[2])): print('held', flush=True); time.sleep(60)"
    )
    cache = project.root / "cache"
    if elsewhere:
        project.runs.mkdir()
        (project.root / "spelled").symlink_to("runs")
        taken = project.root / "spelled" / taken.relative_to(project.runs)
        cache = project.root / "other"
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(taken), str(cache)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        meanwhile = bench("run")
        process.kill()
    assert "1 done, 0 kept, 0 failed, 1 busy" in meanwhile.err
    assert not store.is_done(taken)
    assert "1 done, 1 kept, 0 failed" in bench("run").err
    assert store.is_done(taken)
