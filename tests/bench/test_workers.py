"""Cells shared out among processes: the same results, and none is lost with a worker."""

import pytest

from tasks.common.errors import StorageError

ROWS = ("zero-shot", "bm25", "mean-score", "pplug")
MORE = "controls = true\ntraining = { max_steps = 2, batch_size = 4 }"
SHARED = "workers=2"


def states(outcomes):
    return {outcome.cell.variant: outcome.state for outcome in outcomes}


def test_two_workers_store_what_one_does(project):
    project.suite(*ROWS, more=MORE)
    project.run()
    alone = project.stored()
    for folder in project.runs.iterdir():
        folder.rename(project.root / "aside")
    outcomes = project.run(SHARED)
    assert project.stored() == alone
    assert set(states(outcomes).values()) == {"done"}
    assert [outcome.cell.key for outcome in outcomes] == [c.key for c in project.plan().cells]
    before = project.times()
    assert set(states(project.run(SHARED)).values()) == {"kept"}
    assert project.times() == before


def test_a_failed_cell_is_told_once(project):
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("mean-score", "broken", "median-score")
    outcomes = project.run(SHARED)
    assert states(outcomes) == {"mean-score": "done", "broken": "failed", "median-score": "done"}
    assert "the file is not there" in outcomes[1].reason


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
