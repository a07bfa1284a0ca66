"""Real processes, stopped at whatever they are doing: what is done is kept, and nothing is half."""

import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

import bench.prediction
from bench import cli, store
from bench.locks import Busy, lock_cell
from tests.bench.support import make_project

KILLS, MOST_FILES, SEED = 3, 20, 0
ROWS = ("zero-shot", "mean-score", "pplug", "bm25")
MORE = "controls = true\ntraining = { epochs = 3, batch_size = 2, checkpoint_minutes = 0.0001 }"
CELLS = 6
PRELOADED = [__name__, "bench.engine", "methods.pplug", "transformers.models.t5.modeling_t5"]
SECONDS = 60


def run_here(root: str) -> None:
    """`bench run` in this process, saving after every answer: kills fall between saves."""
    os.chdir(root)
    bench.prediction.CHUNK = 1
    with Path("log").open("w", encoding="utf-8") as log:
        sys.argv, sys.stdout, sys.stderr = ["bench", "run"], log, log
        cli.main()


@pytest.fixture
def start():
    """Starts processes that have torch imported already, so that kills meet work."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)

    def start(project):
        (project.root / "log").unlink(missing_ok=True)
        process = context.Process(target=run_here, args=(str(project.root),))
        process.start()
        wait_for((project.root / "log").exists)
        return process

    return start


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def finish(process, project):
    process.join(SECONDS)
    assert process.exitcode == 0, (project.root / "log").read_text()


def paths(project):
    """Everything that stands now under runs and cache, half-written files too."""
    places = (project.runs, project.root / "cache")
    return {f"{at}/{name}" for place in places for at, _, names in os.walk(place) for name in names}


def predictions(project):
    return {path: data for path, data in project.stored().items() if "predictions" in path}


def times_of_done(project):
    """Modification times of all files of the cells that are done."""
    times = project.times() if project.runs.exists() else {}
    records = [path for path in times if path.endswith(f"/{store.RECORD}") and ".part/" not in path]
    done = tuple(f"{Path(path).parent}/" for path in records)
    return {path: time for path, time in times.items() if path.startswith(done)}


@pytest.mark.timeout(4 * SECONDS)
def test_killed_at_random_points_it_ends_with_the_same_predictions(tmp_path, models, start):
    """kill -9 again and again on one store, then left alone."""
    whole, killed = (make_project(tmp_path / name, models) for name in ("whole", "killed"))
    for project in (whole, killed):
        project.suite(*ROWS, more=MORE)
    finish(start(whole), whole)
    assert len(predictions(whole)) == CELLS

    draw, kept = random.Random(SEED), {}
    for _ in range(KILLS):
        before, number = paths(killed), draw.randint(1, MOST_FILES)
        process = start(killed)
        wait_for(lambda before=before, number=number: len(paths(killed) - before) >= number)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        found = times_of_done(killed)
        assert kept.items() <= found.items()
        kept = found
    finish(start(killed), killed)
    assert predictions(killed) == predictions(whole)
    assert kept.items() <= times_of_done(killed).items()
    assert not [path for path in paths(killed) if ".part" in path]


def test_ctrl_c_keeps_what_is_done_and_says_so(project):
    busy = project.root / "busy"
    project.says("first", {"d1": "4"})
    project.probe("second", "Waits", file=busy)
    project.suite("first", "second")
    process = project.start("run")
    try:
        wait_for(busy.exists)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130
    assert [line for line in err.splitlines() if line.startswith(("done", "stopped"))] == [
        "done  LaMP-3 · first · seed 0",
        "stopped; finished cells are kept, run the same command to resume",
    ]
    cells = project.cells()
    assert store.is_done(cells["first"].folder)
    assert not cells["second"].folder.parent.exists()


def test_a_failure_is_recorded_under_the_cells_lock(project, monkeypatch):
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("broken")
    (cell,) = project.plan().cells
    free = []

    def write_unless_free(folder, text):
        try:
            with lock_cell(folder, project.root / "cache"):
                free.append(text)
        except Busy:
            write(folder, text)

    write = store.write_error
    monkeypatch.setattr(store, "write_error", write_unless_free)
    assert [outcome.state for outcome in project.run()] == ["failed"]
    assert not free
    assert "the file is not there" in store.error_file(cell.folder).read_text()
