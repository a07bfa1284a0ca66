"""Sets read from their Arrow tables equal those of the plain reader; faults are reported as ever."""

import copy
import gc
import json
import pickle
import random

import pytest

from tasks.common.errors import DataError
from tasks.data import loading
from tasks.data.loading import fingerprint, read_set
from tasks.data.stored import histories, opening
from tasks.data.stored.convert import pause_collector
from tasks.data.stored.histories import StoredHistory
from tasks.data.stored.rows import UnevenError, stream_rows
from tasks.lamp import LaMP2, LaMP3
from tests.tasks.data.test_loading import BYTES, FAULTS, ITEM, movie
from tests.tasks.support import review, write_set


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(loading, "LARGE_FILE", 0)
    monkeypatch.setattr(histories, "BATCH", 4)
    monkeypatch.setattr("tasks.data.stored.convert.BATCH", 4)


def read(root, task=LaMP3, *, split="time", set="dev", **options):
    return read_set(task(), root, split=split, set=set, **options)


def is_stored(loaded):
    return all(isinstance(e.history, StoredHistory) for e in loaded.dataset.examples)


def write_reviews(root, count=9, **more):
    """Two users share items; histories are empty, repeat ids, and hold dates of two forms."""
    draw = random.Random(3)
    items = [
        {"id": str(n), "text": f"Text {n} é", "score": n % 5 + 1, "date": date}
        for n, date in enumerate(["2014-10-02", "2014-9-30", None, "2014-10-02"] * 4)
    ]
    rows = [
        review(n, f"Good {n}.", draw.choices(items, k=draw.randrange(8)), user_id=n % 3, **more)
        for n in range(count)
    ]
    write_set(root, rows, {str(n): "5" for n in range(count)})


@pytest.mark.parametrize(
    "options", [{}, {"limit": 4}, {"limit": 0}, {"dates": "%Y-%m-%d"}], ids=str
)
def test_every_field_equals_the_plain_readers(tmp_path, options):
    write_reviews(tmp_path, date="2019-1-2")
    plain = read(tmp_path, **options)
    for _ in range(2):  # converted, and opened again
        stored = read(tmp_path, cache=tmp_path / "cache", **options)
        assert is_stored(stored)
        assert stored == plain
        assert list(stored.dataset.golds) == list(plain.dataset.golds)
        for one, other in zip(stored.dataset.examples, plain.dataset.examples, strict=True):
            assert (one.history, hash(one)) == (other.history, hash(other))
            assert list(one.history) == list(other.history)
    options["cache"] = tmp_path / "cache"
    assert fingerprint(LaMP3(), tmp_path, split="time", set="dev", **options) == (
        plain.dataset.fingerprint
    )


def test_a_limit_reads_no_behaviour_of_the_others(tmp_path):
    write_reviews(tmp_path)
    stored = read(tmp_path, cache=tmp_path / "cache", limit=2).dataset
    assert len(stored) == 2
    assert stored.examples[0].history._table.read.cache_info().currsize == 0


def test_behaviours_that_histories_share_are_written_once(tmp_path):
    rows = [review(n, profile=[ITEM, {**ITEM, "id": n}]) for n in range(10)]
    write_set(tmp_path, rows, {str(n): "5" for n in range(10)})
    stored = read(tmp_path, cache=tmp_path / "cache").dataset
    table = stored.examples[0].history._table
    assert sum(len(batch) for batch in table._batches) == 11
    assert table._rows.tolist()[:6] == [0, 1, 0, 2, 0, 3]


def test_a_test_set_without_golds(tmp_path):
    write_set(tmp_path, [review("1", profile=[ITEM])], set="test")
    stored = read(tmp_path, set="test", cache=tmp_path / "cache")
    assert is_stored(stored)
    assert stored == read(tmp_path, set="test")
    assert stored.dataset.golds is None


def test_history_is_a_sequence_like_a_tuple(tmp_path):
    write_set(tmp_path, [review("1", profile=[ITEM, {**ITEM, "id": "2"}])], {"1": "5"})
    (example,) = read(tmp_path, cache=tmp_path / "cache").dataset.examples
    (plain,) = read(tmp_path).dataset.examples
    history = example.history
    assert (len(history), history[-1], history[:1]) == (2, plain.history[1], plain.history[:1])
    assert history == plain.history == history
    assert plain.history[:1] != history != [*plain.history]
    assert copy.deepcopy(example) == plain
    assert type(pickle.loads(pickle.dumps(history))) is tuple  # noqa: S301
    assert repr(history) == repr(plain.history)


@pytest.mark.parametrize(("questions", "golds", "what", "id"), FAULTS.values(), ids=FAULTS)
def test_faults_are_reported_as_by_the_plain_reader(tmp_path, questions, golds, what, id):
    if isinstance(golds, dict) and "golds" in golds:
        write_set(tmp_path, questions)
        (tmp_path / "dev_outputs.json").write_text(json.dumps(golds))
    else:
        write_set(tmp_path, questions, golds)
    assert_same_error(tmp_path)


@pytest.mark.parametrize(("data", "what"), BYTES.values(), ids=BYTES)
def test_faulty_bytes_are_reported_as_by_the_plain_reader(tmp_path, data, what):
    write_set(tmp_path, [], {"1": "5", "2": "5"})
    (tmp_path / "dev_questions.json").write_bytes(data)
    assert_same_error(tmp_path)


def assert_same_error(root):
    with pytest.raises(DataError) as plain:
        read(root)
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            read(root, cache=root / "cache")
        assert str(caught.value) == str(plain.value)


def test_a_fault_beyond_the_limit_is_no_fault(tmp_path):
    write_set(tmp_path, [review("1"), {**review("2"), "profile": 3}], {"1": "5", "2": "5"})
    assert read(tmp_path, limit=1, cache=tmp_path / "cache") == read(tmp_path, limit=1)


@pytest.mark.parametrize(
    "item", [{**ITEM, "date": "soon"}, {**ITEM, "date": "3.4.2014"}, {**ITEM, "date": "1/2/2014"}]
)
def test_what_must_be_reported_is_read_whole(tmp_path, item):
    write_set(tmp_path, [review("1", profile=[item])], {"1": "5"})
    for options in ({}, {"dates": "day-first"}):
        stored = read(tmp_path, cache=tmp_path / "cache", **options)
        assert stored == read(tmp_path, **options)
        assert is_stored(stored) == (not stored.findings)


@pytest.mark.parametrize("where", ["output", "profile"])
def test_respelled_labels_are_reported(tmp_path, where):
    tag = "Comedy" if where == "profile" else "comedy"
    gold = "Comedy" if where == "output" else "comedy"
    item = {"id": "1", "description": "A film.", "tag": tag}
    write_set(tmp_path, [movie(profile=[item])], {"1": gold}, task="LaMP_2")
    stored = read(tmp_path, LaMP2, cache=tmp_path / "cache")
    assert stored == read(tmp_path, LaMP2)
    assert [finding.kind for finding in stored.findings] == ["respelled-labels"]


@pytest.mark.parametrize("known_faults", ["keep", "drop"])
def test_the_known_fault_of_lamp2(tmp_path, known_faults):
    corrupt = {"id": "110", "input": "garbage without the instruction", "profile": []}
    golds = {"110": "comedy", "1": "action"}
    write_set(tmp_path / "user/LaMP_2/new/dev", [corrupt, movie()], golds, task="LaMP_2")
    options = {"split": "user", "known_faults": known_faults}
    stored = read(tmp_path, LaMP2, cache=tmp_path / "cache", **options)
    assert is_stored(stored)
    assert stored == read(tmp_path, LaMP2, **options)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-le"])
def test_other_encodings(tmp_path, encoding):
    write_reviews(tmp_path)
    path = tmp_path / "dev_questions.json"
    path.write_bytes(path.read_text().encode(encoding))
    stored = read(tmp_path, cache=tmp_path / "cache")
    assert stored == read(tmp_path)
    assert is_stored(stored) == (encoding == "utf-8-sig")


def test_changed_files_and_tasks_are_converted_again(tmp_path):
    write_reviews(tmp_path)
    read(tmp_path, cache=tmp_path / "cache")
    write_reviews(tmp_path, count=5)
    assert len(read(tmp_path, cache=tmp_path / "cache").dataset) == 5

    class Shouting(LaMP3):
        def subject(self, input):
            return super().subject(input).upper()

    stored = read(tmp_path, Shouting, cache=tmp_path / "cache")
    assert stored == read(tmp_path, Shouting)
    assert stored.dataset.examples[0].subject == "GOOD 0."


@pytest.mark.parametrize("name", ["behaviors.arrow", "examples.arrow", "about.json"])
@pytest.mark.parametrize("damage", [b"", b"x" * 900, None])
def test_damaged_tables_are_made_again(tmp_path, name, damage):
    write_reviews(tmp_path)
    plain = read(tmp_path)
    read(tmp_path, cache=tmp_path / "cache")
    (path,) = (tmp_path / "cache" / "data").glob(f"set-*/{name}")
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.warns(UserWarning, match="converted again"):
        assert read(tmp_path, cache=tmp_path / "cache") == plain
    assert read(tmp_path, cache=tmp_path / "cache") == plain


def test_nothing_is_converted_twice(tmp_path, monkeypatch):
    write_reviews(tmp_path)
    read(tmp_path, cache=tmp_path / "cache")
    monkeypatch.setattr(opening, "convert", None)
    monkeypatch.setattr("tasks.data.stored.convert.stream_rows", None)
    assert len(read(tmp_path, cache=tmp_path / "cache").dataset) == 9


class TestStream:
    @pytest.mark.parametrize("indent", [None, 1])
    @pytest.mark.parametrize("chunk", [1, 7, 1000])
    def test_rows_equal_jsons_wherever_a_chunk_ends(self, tmp_path, chunk, indent):
        rows = [{"a": [1.5, -2e-7, None, True], "é": 'x"]},\\ \U0001f600'}, {}, {"b": {"c": [[]]}}]
        path = tmp_path / "rows.json"
        path.write_text(json.dumps(rows, indent=indent, ensure_ascii=chunk == 7), encoding="utf-8")
        assert list(stream_rows(path, chunk)) == rows

    @pytest.mark.parametrize("text", ["[]", "{}", "[{}", "[{},]", "[{}] x", "[{} {}]", "", "[{}]]"])
    def test_anything_else_is_left_to_the_plain_reader(self, tmp_path, text):
        path = tmp_path / "rows.json"
        path.write_text(text)
        with pytest.raises(UnevenError):
            list(stream_rows(path))


@pytest.mark.parametrize("running", [True, False])
def test_the_garbage_collector_is_left_as_it_was(running):
    @pause_collector()
    def fail():
        assert not gc.isenabled()
        raise UnevenError

    before = gc.isenabled()
    try:
        (gc.enable if running else gc.disable)()
        with pytest.raises(UnevenError):
            fail()
        assert gc.isenabled() is running
    finally:
        (gc.enable if before else gc.disable)()
