"""Cells shared out among processes: the same results, and none is lost with a worker."""

import time

import psutil
import pytest
from rich.console import Console

from bench.engine import run_grid
from bench.grid import plan
from bench.workers import _choose, order_cells
from tasks.common.errors import StorageError

ROWS = ("zero-shot", "bm25", "mean-score", "pplug")
MORE = "controls = true\ntraining = { max_steps = 2, batch_size = 4 }"
SHARED = "workers=2"
SECONDS = 60


def states(outcomes):
    return {outcome.cell.variant: outcome.state for outcome in outcomes}


def test_two_workers_store_what_one_does(project):
    project.suite(*ROWS, more=MORE)
    project.run()
    alone = project.stored()
    (project.runs / "s").rename(project.root / "aside")
    outcomes = project.run(SHARED)
    assert project.stored() == alone
    assert set(states(outcomes).values()) == {"done"}
    assert [outcome.cell.key for outcome in outcomes] == [c.key for c in project.plan().cells]
    before = project.times()
    assert set(states(project.run(SHARED)).values()) == {"kept"}
    assert project.times() == before


def test_an_idle_worker_takes_from_the_end_of_the_others_parts():
    orders = [order_cells(9, worker, 2) for worker in range(2)]
    assert orders == [[0, 1, 2, 3, 8, 7, 6, 5, 4], [4, 5, 6, 7, 8, 3, 2, 1, 0]]
    for worker in range(4):  # more workers than cells: each still offers all of them
        assert sorted(order_cells(3, worker, 4)) == [0, 1, 2]


def test_a_cell_whose_fit_another_worker_computes_is_postponed():
    fits = ["a", "a", "b"]
    assert _choose([0, 1, 2], {1, 2}, fits, busy={"a"}) == 2
    assert _choose([0, 1, 2], {1, 2}, fits, busy={"b"}) == 1
    assert _choose([0, 1, 2], {1}, fits, busy={"a"}) == 1  # nothing else is left
    assert _choose([0, 1, 2], set(), fits, busy={"a"}) is None


def test_a_failed_cell_is_reported_once(project):
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("mean-score", "broken", "median-score")
    settings, reported = project.load(SHARED), []
    outcomes = run_grid(settings, plan(settings), Console(quiet=True), reported.append)
    assert states(outcomes) == {"mean-score": "done", "broken": "failed", "median-score": "done"}
    assert "the file is not there" in outcomes[1].reason
    assert sorted(outcome.cell.variant for outcome in reported) == sorted(states(outcomes))


def test_a_cell_whose_worker_was_killed_is_run_all_the_same(project):
    project.probe("deadly", "Dies", file=project.root / "died")
    project.suite("deadly", "mean-score", "median-score")
    assert set(states(project.run(SHARED)).values()) == {"done"}
    assert (project.root / "died").exists()


def test_where_results_cannot_be_stored_all_workers_stop(project):
    project.probe("blocking", "Blocks", file=project.runs / "s" / "LaMP-3" / "blocking")
    project.suite("mean-score", "blocking")
    with pytest.raises(StorageError, match="blocking"):
        project.run(SHARED)


def test_the_command_shares_cells_out(project, bench):
    project.suite("mean-score", "median-score", "majority-label")
    done = bench("run", "s", "--set", SHARED)
    assert done.code == 0
    assert "3 done, 0 kept, 0 failed" in done.err
    assert done.err.count("done  LaMP-3") == 3


def test_workers_end_with_the_process_that_started_them(project):
    project.probe("slow", "Waits", file=project.root / "begun")
    project.suite("slow", "mean-score")
    run = project.start("run", "s", "--set", SHARED)
    wait_for((project.root / "begun").exists)
    workers = psutil.Process(run.pid).children()
    assert len(workers) >= 2
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=SECONDS)
    assert not alive


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
