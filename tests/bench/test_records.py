"""Records of another shape are refused, with the key that is wrong; written ones come back."""

import hashlib
import json
import random
import shutil

import pytest

from bench import store
from bench.records import Totals
from tasks import Prediction
from tasks.common.errors import StorageError
from tasks.common.sealed import unseal
from tests.bench.support import edit_sealed

EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def folder(project):
    project.says("row", {"d1": None})
    project.suite("row")
    (outcome,) = project.run()
    return outcome.cell.folder


def make_old(folder):
    """Take from a cell what versions without checksums did not write."""
    for name in (store.RECORD, store.SCORES):
        value = json.loads(unseal((folder / name).read_bytes())[0])
        for key in ("schema_version", "files", "predictions"):
            value.pop(key, None)
        (folder / name).write_text(json.dumps(value))


def test_what_is_read_is_what_was_written(folder):
    for name, read in ((store.RECORD, store.read_record), (store.SCORES, store.read_scores)):
        stored = json.loads((folder / name).read_text())
        assert len(stored.pop("sha256")) == 64
        assert read(folder).model_dump(mode="json") == stored


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda record: [record.pop(name) for name in list(record)[:-1]], "`identity`: Field requ"),
        (lambda record: record.update(seconds=3), "`seconds`: "),
        (lambda record: record["seconds"].pop("predict"), "`seconds.predict`: Field required"),
        (lambda record: record["totals"].update(n="4"), "`totals.n`: "),
        (lambda record: record.update(models=[]), "`models`: "),
    ],
)
def test_a_record_of_another_shape_is_named(folder, bench, change, fault):
    path = folder / store.RECORD
    edit_sealed(path, change)
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
        (lambda scores: [scores.pop(name) for name in list(scores)[:-1]], "`scoring`: Field requ"),
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
    edit_sealed(path, change)
    with pytest.raises(StorageError) as error:
        store.read_scores(folder)
    assert str(error.value).startswith(f"{path}: is not a cell's scores ({fault}")
    assert bench("table").code == 2
    assert bench("score").code == 0
    assert path.read_bytes() == whole


def test_records_of_before_a_key_was_added_stay_readable(folder):
    edit_sealed(folder / store.RECORD, lambda record: record["fit"].pop("seconds"))
    edit_sealed(folder / store.RECORD, lambda record: record["cost"].pop("seconds_per_user"))
    record = store.read_record(folder)
    assert (record.fit.seconds, record.cost.seconds_per_user) == (0, 0)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


COMMANDS = {
    "run": ["run"],
    "score": ["score"],
    "table": ["table"],
    "export": ["export", "out"],
    "show": ["show", "KEY"],
    "verify": ["verify"],
}


@pytest.mark.parametrize("name", [store.RECORD, store.SCORES, store.PREDICTIONS])
def test_a_flipped_bit_anywhere_is_found_by_every_command_that_reads_the_file(folder, bench, name):
    path = folder / name
    whole = path.read_bytes()
    draw = random.Random(name)
    for command, arguments in COMMANDS.items():
        flip(path, draw.randrange(len(whole)))
        key = folder.name.partition("-")[2]
        done = bench(*(key if argument == "KEY" else argument for argument in arguments))
        if (name, command) == (store.SCORES, "score"):
            assert (done.code, path.read_bytes()) == (0, whole)  # its repair
        else:
            assert done.code, command
            assert str(path) in done.out + done.err, command
            assert "Traceback" not in done.err
        path.write_bytes(whole)


@pytest.mark.parametrize("name", [store.RECORD, store.SCORES, store.PREDICTIONS])
def test_every_flipped_bit_is_found(folder, name):
    path = folder / name
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        flip(path, at)
        with pytest.raises(StorageError):
            store.read_scores(folder)
        path.write_bytes(whole)
    assert store.read_scores(folder)


def test_predictions_without_their_last_lines_are_neither_scored_nor_shown(folder, bench):
    path = folder / store.PREDICTIONS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    for command in ("score", "table"):
        done = bench(command)
        assert done.code == 2
        assert done.err.startswith(f"error: {path}: is damaged: its checksum differs.")


def test_a_record_of_another_cell_or_of_a_later_version_is_refused(folder):
    moved = folder.with_name("0-0123456789ab")
    shutil.copytree(folder, moved)
    with pytest.raises(StorageError, match=r"is the record of another cell \(0-"):
        store.read_record(moved)
    edit_sealed(folder / store.RECORD, lambda record: record.update(schema_version=3))
    with pytest.raises(StorageError, match=r"by a later version of pplug-bench \(schema 3; .* 2\)"):
        store.read_record(folder)


def test_scores_of_other_predictions_are_refused(folder, bench):
    (folder / store.PREDICTIONS).write_text("")
    edit_sealed(folder / store.RECORD, lambda r: r["files"].update({store.PREDICTIONS: EMPTY}))
    done = bench("table")
    assert "scores.json: holds scores of another predictions.jsonl. Run `bench score`" in done.err


def test_cells_without_checksums_are_read_say_so_and_get_them_by_scoring(folder, bench):
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    make_old(folder)
    assert store.read_scores(folder)
    note = "1 cell was stored without checksums by an earlier version"
    assert note in bench("table").out
    assert bench("score").code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    assert note not in bench("table").out


def test_an_old_cells_answers_are_compared_with_what_its_record_counts(folder, bench):
    make_old(folder)
    path = folder / store.PREDICTIONS
    path.write_text(path.read_text().replace('"text": null', '"text": "5"'))
    done = bench("score")
    assert done.code == 2
    assert "predictions.jsonl: holds other answers than its record counts (failed)" in done.err


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
    assert (totals.empty, totals.at_token_limit, totals.queries_lost) == (0, None, None)
    assert Totals.from_predictions([]).prompt_tokens_mean == 0


def test_answers_that_mislead_are_counted_by_hand():
    """Of a limit of 4 tokens; b's query of 6 tokens was cut away whole, a's in part."""
    totals = Totals.from_predictions(
        [
            Prediction("a", "x", new_tokens=4, query_tokens=6, query_tokens_cut=5),
            Prediction("b", " ", new_tokens=1, query_tokens=6, query_tokens_cut=6),
            Prediction("c", "", new_tokens=4, query_tokens=6),
            Prediction("d", None, error="no"),
        ],
        max_new_tokens=4,
    )
    assert (totals.empty, totals.at_token_limit) == (2, 2)
    assert (totals.queries_cut, totals.queries_lost, totals.lost_ids) == (2, 1, ("b",))
