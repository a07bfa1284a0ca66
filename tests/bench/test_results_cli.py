"""`bench verify`, `remove`, `archive` and `submission`: what they find, take and leave alone."""

import json
import sys
import tarfile
import zipfile

import pytest

import bench as library
from bench import store
from bench.locks import lock_cell
from tests.bench.support import GOLDS, edit_sealed


@pytest.fixture
def done(project):
    """Two rows, of which `learns` has a model of its own, and a row that fails."""
    project.says("right", {**GOLDS, "d4": None})
    project.probe("learns", "Learns", file=project.root / "fits")
    project.probe("broken", "Fails", file=project.root / "there")
    project.suite("right", "learns", "broken")
    project.run()
    return project


def folders(project):
    return {name: cell.folder for name, cell in project.cells().items()}


def test_every_number_is_derived_again(done, bench):
    """Two cells: files predictions, scores, record of each, and the learned one's model."""
    found = bench("verify")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("2 cells (1 not done), 7 files, ")
    assert found.out.endswith(" numbers derived again: all as stored\n")


def change_mae(value):
    return lambda scores: scores["metrics"]["mae"].update(value=value)


DAMAGES = {
    "a score": (store.SCORES, change_mae(0.5), "mae: stored value 0.5, derived 0.75"),
    "a metric": (store.SCORES, lambda s: s["metrics"].pop("rmse"), "rmse: derived, but not stored"),
    "a user": (store.SCORES, lambda s: s["users"].reverse(), "scores other examples or users"),
    "a count": (store.RECORD, lambda r: r["totals"].update(failed=0), "record counts (failed)"),
    "a file": ("model/learned.json", None, "learned.json: is damaged: its checksum differs"),
}


@pytest.mark.parametrize(("name", "change", "problem"), DAMAGES.values(), ids=DAMAGES)
def test_a_number_that_predictions_do_not_give_is_found(done, bench, name, change, problem):
    """Although its file is sealed again, as whoever writes wrong numbers would do."""
    if change is None:
        (folders(done)["learns"] / name).write_text("{}")
    else:
        edit_sealed(folders(done)["right"] / name, change)
    found = bench("verify")
    assert found.code == 1
    assert problem in found.out


def test_an_export_is_compared_number_by_number(done, bench):
    rows = "methods=['right', 'learns']"
    assert bench("export", "kept", "--set", rows).code == 0
    assert bench("verify", "--export", "kept", "--set", rows).out.endswith("all as stored\n")
    scores = done.root / "kept" / "scores.csv"
    lines = scores.read_text().splitlines()
    place = lines[0].split(",").index("value")
    row = lines[1].split(",")
    was, row[place] = row[place], "0.5"
    scores.write_text("\n".join([lines[0], ",".join(row), *lines[2:]]))
    cells = done.root / "kept" / "cells.jsonl"
    cells.write_text(cells.read_text().replace('"failed": 1', '"failed": 0'))
    found = bench("verify", "--export", "kept", "--set", rows)
    assert found.code == 1
    assert f"scores.csv: LaMP-3 · mae · right: value 0.5, derived {was}" in found.out
    assert float(was) == 0.75
    assert "totals.failed 0, stored 1" in found.out


def test_removing_asks_and_leaves_what_runs(done, bench, monkeypatch):
    cells = folders(done)
    refused = bench("remove", "s")
    assert refused.code == 2
    assert "Remove: 3 cells" in refused.err
    assert "nothing was done. Give --yes" in refused.err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda _: False)
    assert bench("remove", "s").code == 0
    assert store.is_done(cells["right"])
    with lock_cell(cells["right"], done.root / "cache"):
        found = bench("remove", "s", "--yes")
    assert found.out.endswith("2 cells removed\n")
    assert "left alone, because a process is running it: LaMP-3 · right · 0-" in found.err
    assert [path.name for path in (done.runs / "s" / "LaMP-3").iterdir()] == ["right"]
    assert bench("remove", "s", "--yes").out.endswith("1 cell removed\n")
    assert [path.name for path in done.runs.iterdir()] == [".locks"]
    assert "1 failed" in bench("run").err  # and the others are done again
    assert all(store.is_done(cells[name]) for name in ("right", "learns"))


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["-m", "right"], {"learns"}),
        (["--key", "KEY"], {"learns"}),
        (["--damaged"], {"learns"}),
        (["--unplanned", "--set", "suites.s.methods=['right']"], {"right"}),
        (["-t", "LaMP-3"], set()),
    ],
)
def test_cells_are_removed_by_row_key_damage_or_plan(done, bench, options, left):
    cells = folders(done)
    key = cells["right"].name.partition("-")[2]
    if "--damaged" in options:
        (cells["right"] / store.PREDICTIONS).write_text("")
    options = [key if option == "KEY" else option for option in options]
    assert bench("remove", "s", "--yes", *options).code == 0
    assert {name for name, folder in cells.items() if store.is_done(folder)} == left


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["remove", "t"], "no results of suite 't' are stored"),
        (["remove", "s", "-m", "rihgt"], "Did you mean 'right'?"),
        (["archive", "there.tar.gz", "s", "--yes"], "there.tar.gz: exists already"),
    ],
)
def test_wrong_names_are_refused(done, bench, arguments, message):
    (done.root / "there.tar.gz").touch()
    found = bench(*arguments)
    assert found.code == 2
    assert message in found.err
    assert store.is_done(folders(done)["right"])


def test_cells_are_moved_to_a_file_or_to_a_folder_that_can_be_read(done, bench):
    cells, before = folders(done), done.stored()
    assert bench("archive", "old", "s", "-m", "right", "--yes").code == 0
    assert not cells["right"].exists()
    scores = library.load_results(done.root / "old")
    assert set(scores.method) == {"right"}
    found = bench("archive", "rest.tar.gz", "s", "--yes")
    assert found.out.endswith("2 cells moved to rest.tar.gz\n")
    with tarfile.open(done.root / "rest.tar.gz") as tar:
        tar.extractall(done.root / "old", filter="data")
    (done.root / "old").rename(done.root / "runs-again")
    again = done.load("store.runs=runs-again").store.runs
    assert {
        str(path.relative_to(again)): path.read_bytes()
        for path in again.rglob("*")
        if path.is_file() and path.name != store.RECORD
    } == before


def test_predictions_in_the_format_of_the_leaderboard(done, bench):
    found = bench("submission", "sent", "-m", "right")
    assert found.out == "written: sent/right-seed-0.zip\n"
    with zipfile.ZipFile(done.root / "sent" / "right-seed-0.zip") as archive:
        assert archive.namelist() == ["LaMP_3.json"]
        assert json.loads(archive.read("LaMP_3.json")) == {
            "task": "LaMP_3",
            "golds": [
                {"id": "d1", "output": "5"},
                {"id": "d2", "output": "4"},
                {"id": "d3", "output": "1"},
                {"id": "d4", "output": ""},
            ],
        }
