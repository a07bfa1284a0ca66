"""Records of another shape are refused, with the key that is wrong; written ones come back."""

import json

import pytest

from bench import store
from bench.records import Totals
from tasks import Prediction
from tasks.common.errors import StorageError


@pytest.fixture
def folder(project):
    project.says("row", {"d1": None})
    project.suite("row")
    (outcome,) = project.run()
    return outcome.cell.folder


def edit(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_what_is_read_is_what_was_written(folder):
    for name, read in ((store.RECORD, store.read_record), (store.SCORES, store.read_scores)):
        assert read(folder).model_dump(mode="json") == json.loads((folder / name).read_text())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda record: record.clear(), "`identity`: Field required, and "),
        (lambda record: record.update(seconds=3), "`seconds`: "),
        (lambda record: record["seconds"].pop("predict"), "`seconds.predict`: Field required"),
        (lambda record: record["totals"].update(n="4"), "`totals.n`: "),
        (lambda record: record.update(models=[]), "`models`: "),
    ],
)
def test_a_record_of_another_shape_is_named(folder, bench, change, fault):
    path = folder / store.RECORD
    edit(path, change)
    with pytest.raises(StorageError) as error:
        store.read_record(folder)
    assert str(error.value).startswith(f"{path}: is not a cell's record ({fault}")
    assert "Remove that folder and run the same command again" in str(error.value)
    done = bench("table")
    assert done.code == 2
    assert done.err == f"error: {error.value}\n"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda scores: scores.clear(), "`scoring`: Field required, and "),
        (lambda scores: scores["ids"].pop(), "3 ids, but lists of [4] users or rows"),
        (lambda scores: scores["metrics"]["mae"]["rows"].pop(), "4 ids, but lists of [3]"),
        (lambda scores: scores["metrics"]["mae"].update(value=None), "`metrics.mae.value`: "),
        (lambda scores: scores["metrics"].clear(), "`metrics`: "),
    ],
)
def test_scores_of_another_shape_are_named_and_bench_score_repairs_them(
    folder, bench, change, fault
):
    path = folder / store.SCORES
    whole = path.read_bytes()
    edit(path, change)
    with pytest.raises(StorageError) as error:
        store.read_scores(folder)
    assert str(error.value).startswith(f"{path}: is not a cell's scores ({fault}")
    assert bench("table").code == 2
    assert bench("score").code == 0
    assert path.read_bytes() == whole


def test_records_of_before_a_key_was_added_stay_readable(folder):
    edit(folder / store.RECORD, lambda record: record["fit"].pop("seconds"))
    edit(folder / store.RECORD, lambda record: record["cost"].pop("seconds_per_user"))
    record = store.read_record(folder)
    assert (record.fit.seconds, record.cost.seconds_per_user) == (0, 0)


def test_totals_count_by_hand():
    totals = Totals.from_predictions(
        [
            Prediction("a", "x", ("p", "q"), 10, 2, 3, note="cut"),
            Prediction("b", None, (), 20, 0, 0, error="no prompt"),
            Prediction("c", "y", ("p",), 30, 0, 3, note="cut"),
        ]
    )
    assert (totals.n, totals.failed, totals.truncated) == (3, 1, 1)
    assert (totals.prompt_tokens_mean, totals.new_tokens_mean, totals.behaviors_mean) == (20, 2, 1)
    assert totals.notes == {"cut": 2}
    assert Totals.from_predictions([]).prompt_tokens_mean == 0
