"""What a run shows and logs of its workers."""

import io

import pytest
from rich.console import Console

from bench import progress
from bench.progress import Bars, Doing, Reporter
from bench.time_left import TimeLeft

CELL = "LaMP-1 · pplug · seed 0"


@pytest.fixture
def clock(monkeypatch):
    """The time, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def make_bars(left, **options):
    out = io.StringIO()
    return Bars(Console(file=out, width=200), left, **options), out


def test_each_worker_is_shown_at_once_with_its_rate_and_the_time_left(clock, tmp_path):
    left = TimeLeft({CELL: 60, "other": 40, "third": 20}, 2)
    bars, out = make_bars(left, log=tmp_path / "log")
    bars.start_worker(0)
    assert out.getvalue() == "0/3 cells, about 60 s left  worker 1: starting\n"
    bars.show(0, Doing(CELL))
    bars.show(0, Doing(CELL, "fit", 0, 100))
    bars.show(0, Doing(CELL, "fit", 50, 100))  # resumed: the rate leaves these out
    clock[0] += 2
    bars.show(0, Doing(CELL, "fit", 54, 100))
    *_, line = out.getvalue().splitlines()
    assert line == f"0/3 cells, about 59 s left  worker 1: {CELL}  fit 54/100  2/s  23 s left"
    bars.tick()  # the next line is due in four seconds
    assert out.getvalue().count("\n") == 2
    bars.cell_done(CELL, "done")
    clock[0] += 4
    bars.tick()
    assert out.getvalue().splitlines()[2].startswith("1/3 cells, about 30 s left  worker 1: ")
    logged = [line.split("  ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert logged == [
        "worker 1: starting",
        f"worker 1: {CELL}  starting",
        f"worker 1: {CELL}  fit 0/100",
        f"done  {CELL}",
    ]


def test_a_run_goes_on_without_its_log(clock, tmp_path):
    bars, out = make_bars(TimeLeft({}, 1), log=tmp_path / "deleted" / "log")
    for title in ("a", "b"):
        bars.cell_done(title, "done")
    assert out.getvalue().count("no log from here on") == 1


def test_lines_become_rarer(clock):
    bars, out = make_bars(TimeLeft({}, 1))
    bars.start_worker(0)
    times = []
    while len(times) < 6:
        clock[0] += 1
        before = out.getvalue().count("\n")
        bars.tick()
        if out.getvalue().count("\n") > before:
            times.append(clock[0] - 100)
    assert times == [2, 6, 14, 30, 60, 90]


def test_a_phase_keeps_its_rate_across_phases_within_it(clock):
    bars, out = make_bars(TimeLeft({CELL: None}, 1))
    bars.show(0, Doing(CELL, "predict", 10, 100))
    clock[0] += 5
    bars.show(0, Doing(CELL, "summaries", 1, 9))
    clock[0] += 5
    bars.show(0, Doing(CELL, "predict", 20, 100))  # ten in ten seconds
    clock[0] += 30
    bars.show(0, Doing(CELL, "predict", 50, 100))
    assert out.getvalue().splitlines()[-1].endswith("predict 50/100  1/s  50 s left")


def test_prompts_answered_count_as_steps_until_those_are_reported(monkeypatch, clock):
    sent = []
    reporter = Reporter(lambda doing: sent.append((doing.what, doing.done)))
    monkeypatch.setattr(progress, "SEND", 0.0)
    reporter.start_cell(CELL)
    reporter.start("predict", 10)
    reporter.answer(4)
    reporter.answer(8)  # more prompts than steps
    reporter.start("predict", 10, 6)
    reporter.answer(2)
    reporter.advance(3)
    assert sent == [
        ("starting", 0),
        *(("predict", done) for done in (0, 4, 10, 6, 8, 9)),
    ]


def test_reports_are_sent_a_few_times_a_second(clock):
    sent = []
    reporter = Reporter(sent.append)
    reporter.start("fit", 100)
    for _ in range(40):
        clock[0] += 0.0625
        reporter.advance()
    assert [doing.done for doing in sent] == [4 * n for n in range(11)]


def test_the_time_left_is_what_earlier_cells_took(clock):
    left = TimeLeft({"a": 30, "b": 10}, 1)
    assert left.estimate() == 40
    left.begin("a")
    clock[0] += 20
    assert left.estimate() == 20
    clock[0] += 20  # later than thought: what is over is not subtracted from b
    assert left.estimate() == 10
    left.finish("a")
    assert left.estimate() == 10


def test_without_earlier_cells_it_is_measured_by_this_runs_own(clock):
    left = TimeLeft({"a": None, "b": None, "c": None}, 1)
    left.begin("a")
    clock[0] += 4
    assert left.estimate() is None
    left.show("a", 16)  # 20 seconds in all
    assert left.estimate() == 16 + 20 + 20
    clock[0] += 6
    left.finish("a")
    assert left.estimate() == 2 * 10


def test_two_workers_share_the_time_left(clock):
    assert TimeLeft({"a": 30, "b": 10}, 2).estimate() == 20
    assert TimeLeft({"a": 30}, 2).estimate() == 30


def test_a_run_says_what_it_will_do_and_keeps_a_log(project, bench):
    project.suite("mean-score", "median-score")
    done = bench("run", "s")
    assert "suite s: 2 cells: 0 done, 0 failed, 2 left" in done.err
    assert "0/2 cells  worker 1: LaMP-3 · mean-score · seed 0  starting" in done.err
    (log,) = (project.runs / ".logs").glob("s-*.log")
    assert str(log) in done.err
    assert log.read_text().count("done  LaMP-3") == 2
    assert bench("run", "s").code == 0
    assert list((project.runs / ".logs").iterdir()) == [log]  # nothing left to run: no log


def test_an_llms_answers_are_steps_of_the_prediction(project, bench, monkeypatch):
    monkeypatch.setattr(progress, "SEND", 0.0)
    seen = []
    monkeypatch.setattr(Bars, "show", lambda bars, worker, doing: seen.append(doing))
    project.suite("zero-shot")
    assert bench("run", "s", "--set", "llms.t5.batch_size=3").code == 0
    steps = [(doing.done, doing.total) for doing in seen if doing.what == "predict"]
    assert steps == [(0, 4), (3, 4), (4, 4), (4, 4)]
