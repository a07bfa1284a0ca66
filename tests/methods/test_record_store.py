"""What was computed is kept: whoever asks, killed where it may, damaged or not."""

import json

import pytest

from methods import record_store
from methods.record_store import RecordStore
from methods.runtime import Progress
from tasks.common.errors import StorageError


class Heard(Progress):
    def __init__(self):
        self.phases = []

    def start(self, what, total):
        self.phases.append((what, total))


class Squares:
    """Computes, and remembers what for; dies when it meets `end`."""

    def __init__(self, end=None):
        self.asked, self.end = [], end

    def __call__(self, numbers):
        if self.end in numbers:
            raise KeyboardInterrupt
        self.asked += numbers
        return [number**2 for number in numbers]


@pytest.fixture
def store(tmp_path):
    """Opens the one file anew, as another process would."""
    return lambda: RecordStore(tmp_path / "deep" / "records.jsonl", Heard())


@pytest.fixture(autouse=True)
def chunks_of_three(monkeypatch):
    monkeypatch.setattr(record_store, "CHUNK", 3)


def wanted(*numbers):
    return {f"key {number}": number for number in numbers}


def test_each_record_is_computed_once_whoever_asks(store):
    squares, first, second = Squares(), store(), store()
    assert first.get(wanted(3, 1), squares, "squares") == {"key 3": 9, "key 1": 1}
    assert second.get(wanted(1, 2, 3), squares, "squares") == {"key 1": 1, "key 2": 4, "key 3": 9}
    assert first.get(wanted(2), squares, "squares") == {"key 2": 4}
    assert store().get(wanted(3, 2, 1), squares, "squares")["key 2"] == 4
    assert squares.asked == [3, 1, 2]
    assert second.progress.phases == [("squares", 1)]
    assert store().get({}, squares, "squares") == {}


def test_killed_halfway_the_finished_chunks_are_kept(store):
    with pytest.raises(KeyboardInterrupt):
        store().get(wanted(*range(8)), Squares(end=7), "squares")
    rest = Squares()
    assert store().get(wanted(*range(8)), rest, "squares")["key 5"] == 25
    assert rest.asked == [6, 7]


def cut_off(lines):
    return b"".join(lines)[:-20]


def half_a_character(lines):
    return b"".join(lines)[:-1] + b"\xc3\n"


def another_value(lines):
    return b"".join([*lines[:-1], lines[-1].replace(b" 16,", b" 17,")])


def no_record(lines):
    return b"".join([*lines[:-1], b"5\n"])


@pytest.mark.parametrize("damage", [cut_off, half_a_character, another_value, no_record])
def test_a_damaged_record_is_told_and_computed_again_and_the_sound_stay(store, damage):
    before = store().get(wanted(*range(5)), Squares(), "squares")
    file = store().file
    file.write_bytes(damage(file.read_bytes().splitlines(keepends=True)))
    again, opened = Squares(), store()
    assert opened.get(wanted(*range(6)), again, "squares") == {**before, "key 5": 25}
    assert again.asked == [4, 5]
    assert opened.damaged == 1
    assert opened.progress.phases == [("squares, 1 damaged records dropped", 2)]
    mended = store()
    assert mended.get(wanted(*range(6)), Squares(end=0), "squares") == {**before, "key 5": 25}
    assert mended.damaged == 0
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 6


def test_a_lost_line_end_is_no_damage(store):
    store().get(wanted(1), Squares(), "squares")
    file = store().file
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    opened, more = store(), Squares()
    assert opened.get(wanted(1, 2), more, "squares") == {"key 1": 1, "key 2": 4}
    assert (opened.damaged, more.asked) == (0, [2])
    assert store().get(wanted(1, 2), Squares(end=1), "squares") == {"key 1": 1, "key 2": 4}


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"records\.jsonl.*writable cache folder"):
        RecordStore(tmp_path / "file" / "records.jsonl", Progress()).get(
            wanted(1), Squares(), "squares"
        )
