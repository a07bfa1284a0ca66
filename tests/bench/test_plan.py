"""`bench plan`: the grid of methods and tasks, and the estimate of the time left."""

import pytest

from bench import store
from bench.estimate import Estimate, estimate_time_left, format_duration
from bench.render.plan import make_plan_sheet, summarize
from tasks.common.files import write_json
from tests.bench.support import GOLDS, edit_sealed, make_record


@pytest.fixture
def project(project):
    project.says("right", dict(GOLDS))
    project.probe("seeded", "Says", by_seed=["5", "4", "3"])
    project.probe("broken", "Fails", file=project.root / "there")
    project.suite("right", "seeded", "broken", "copy-input")
    return project


SEEDS = "seeds=[0, 1, 2]"


def take(seconds, cell):
    """Store a finished cell that took so long."""
    cell.folder.mkdir(parents=True)
    write_json(cell.folder / store.RECORD, make_record(cell, predict=seconds))


def change_record(cell, **parts):
    """Replace values in a stored record, such as `totals={"n": 2}`."""

    def change(record):
        for name, values in parts.items():
            record[name] |= values

    edit_sealed(cell.folder / store.RECORD, change)


def cells_of(grid, method):
    return [cell for cell in grid.cells if cell.variant == method]


def test_the_grid_counts_cells_by_method_and_task(project):
    project.run("methods=['right', 'seeded', 'broken']")
    sheet = make_plan_sheet(project.plan(SEEDS))
    assert sheet.labels == ("method",)
    assert sheet.columns == (("LaMP-3", ""),)
    assert {labels[0]: field.text for labels, (field,) in sheet.rows} == {
        "right": "1/3",
        "seeded": "1/3",
        "broken": "0/3 f1",
        "copy-input": "–",
    }


def test_the_estimate_is_the_mean_of_finished_cells(project):
    grid = project.plan(SEEDS)
    assert estimate_time_left(grid, 1) == Estimate(0, 9)
    first, second, _ = cells_of(grid, "seeded")
    take(10, first)
    assert estimate_time_left(grid, 1) == Estimate(2 * 10, 6)
    take(30, second)
    assert estimate_time_left(grid, 1) == Estimate(20, 6)
    take(5, cells_of(grid, "right")[0])
    take(5, cells_of(grid, "broken")[0])
    assert estimate_time_left(grid, 1) == Estimate(20 + 4 * 5, 0)


def test_workers_share_the_time_left(project):
    grid = project.plan(SEEDS)
    take(10, cells_of(grid, "seeded")[0])
    assert estimate_time_left(grid, 2) == Estimate(10, 6)
    assert estimate_time_left(grid, 100) == Estimate(2 * 10 / 8, 6)  # no more than cells left


def test_cells_with_other_settings_are_past_cells_too(project):
    take(10, cells_of(project.plan("max_input_tokens=99", "methods=['zero-shot']"), "zero-shot")[0])
    grid = project.plan("methods=['zero-shot']")
    assert estimate_time_left(grid, 1) == Estimate(10, 0)


def test_seconds_are_scaled_to_the_number_of_queries(project):
    """Four queries are planned; the finished cell answered two."""
    few = cells_of(project.plan("evaluate_limit=2"), "right")[0]
    take(10, few)
    change_record(few, totals={"n": 2})
    grid = project.plan("methods=['right', 'seeded']")
    assert estimate_time_left(grid, 1) == Estimate(0, 2)  # nothing says yet how many queries
    seeded = cells_of(grid, "seeded")[0]
    take(7, seeded)
    change_record(seeded, totals={"n": 4})
    assert estimate_time_left(grid, 1) == Estimate(20, 0)


def test_training_is_scaled_to_the_number_of_examples(project):
    few, many = (
        cells_of(project.plan(f"train_limit={limit}", SEEDS), "seeded")[0] for limit in (2, 6)
    )
    for cell, examples, seconds in ((few, 2, 10), (many, 6, 30)):
        take(0, cell)
        change_record(cell, fit={"examples": examples}, seconds={"fit": seconds})
    grid = project.plan("train_limit=6", SEEDS, "methods=['seeded']")
    assert estimate_time_left(grid, 1) == Estimate(2 * 30, 0)


def test_a_damaged_record_is_no_past_cell(project):
    grid = project.plan(SEEDS)
    first, second, _ = cells_of(grid, "seeded")
    take(10, first)
    second.folder.mkdir()
    (second.folder / store.RECORD).write_text("{}")
    assert estimate_time_left(grid, 1).seconds == 10


def test_the_summary(project):
    project.run("methods=['right', 'broken']")
    grid = project.plan(SEEDS)
    counts = "9 cells: 1 done, 1 failed, 7 left; "
    assert summarize(grid, Estimate(0, 8), 1) == (
        f"{counts}no estimate of the time left until cells of these methods are done"
    )
    assert summarize(grid, Estimate(600, 1), 2) == (
        f"{counts}about 10 min left with 2 workers, "
        "not counting 1 cell of a method without finished cells"
    )
    done = project.plan("methods=['right']")
    assert summarize(done, Estimate(0, 0), 1) == "1 cell: 1 done, 0 failed, 0 left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (91, "2 min"), (7300, "2 h 2 min")]
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text


def test_it_says_what_changed_since_a_result_was_stored(project, bench):
    project.suite("zero-shot", "bm25", name="t")
    assert bench("run", "t", "-m", "bm25").code == 0
    assert "must run again" not in bench("plan", "t").out  # zero-shot never ran
    options = ["--set", "methods.bm25.k=2", "--set", "max_input_tokens=128"]
    out = bench("plan", "t", *options).out
    reason = "differs in k 4 → 2, max_input_tokens 256 → 128"
    assert f"1 cell must run again, because a stored result {reason}" in out
    lines = bench("plan", "t", "--cells", *options).out.splitlines()
    assert [line.partition(": ")[2] for line in lines[:2]] == ["", reason]
    assert "differs in" not in bench("plan", "t", "--set", "seeds=[1]", "--cells").out
    train = project.root / "data/time/LaMP_3/train/train_outputs.json"
    train.write_text(train.read_text() + " ")
    assert "differs in the train data\n" in bench("plan", "t").out
