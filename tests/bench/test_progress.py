"""What a run shows and logs of its workers."""

import io

from rich.console import Console

from bench import progress
from bench.progress import Bars, Doing


def test_rate_and_time_left_count_from_the_first_step_seen(monkeypatch, tmp_path):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    bars = Bars(Console(file=out, width=200), 3, log=tmp_path / "log")
    bars.start_worker(0)
    bars.show(0, Doing("LaMP-1", "fit", 0, 100))
    bars.show(0, Doing("LaMP-1", "fit", 50, 100))  # resumed: the rate leaves these out
    now[0] = 2.0
    bars.show(0, Doing("LaMP-1", "fit", 54, 100))
    assert out.getvalue() == "0/3 cells  worker 1: LaMP-1  fit 54/100  2/s  23 s left\n"
    bars.tick()  # the next line is due in half a minute
    assert out.getvalue().count("\n") == 1
    logged = [line.split("  ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert logged == ["worker 1: starting", "worker 1: LaMP-1  fit 0/100"]


def test_a_run_says_what_it_will_do_and_keeps_a_log(project, bench):
    project.suite("mean-score", "median-score")
    done = bench("run", "s")
    assert "suite s: 2 cells: 0 done, 0 failed, 2 left" in done.err
    (log,) = (project.runs / ".logs").glob("s-*.log")
    assert str(log) in done.err
    assert log.read_text().count("done  LaMP-3") == 2
    assert bench("run", "s").code == 0
    assert list((project.runs / ".logs").iterdir()) == [log]  # nothing left to run: no log
