"""A journal computes each value once, and loses what was damaged and nothing else."""

import json
import logging

import pytest

from methods.cache import journal
from methods.cache.journal import Journal
from tasks.common.errors import StorageError

KEYS = [f"key {number}" for number in range(20)]
VALUES = [f"välue {number}\nof two lines" for number in range(20)]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(journal, "CHUNK", 4)


class Work:
    """Computes VALUES; remembers for which keys, and dies in the chunk after `lasts` chunks."""

    def __init__(self, lasts=None):
        self.chunks, self.lasts = [], lasts

    def __call__(self, rows):
        if len(self.chunks) == self.lasts:
            raise KeyboardInterrupt
        self.chunks.append([KEYS[row] for row in rows])
        return [VALUES[row] for row in rows]

    @property
    def keys(self):
        return [key for chunk in self.chunks for key in chunk]


def got(path, work, keys=KEYS):
    found = Journal(path)
    return found.get(keys, work, "work"), found


def test_each_value_is_computed_once(tmp_path):
    path, work = tmp_path / "a" / "b.jsonl", Work()
    assert got(path, work)[0] == VALUES
    assert work.chunks == [KEYS[start : start + 4] for start in range(0, 20, 4)]
    again, found = got(path, Work(lasts=0))
    assert (again, found.computed, found.damaged) == (VALUES, 0, 0)


def test_equal_keys_are_computed_once(tmp_path):
    calls = []

    def compute(rows):
        calls.append(list(rows))
        return [row * 10 for row in rows]

    found = Journal(tmp_path / "j").get(["a", "b", "a", "c", "b"], compute, "work")
    assert found == [0, 10, 0, 30, 10]
    assert calls == [[0, 1, 3]]


def test_a_kill_loses_the_chunk_in_work(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        got(tmp_path / "j", Work(lasts=3))
    work = Work()
    values, found = got(tmp_path / "j", work)
    assert values == VALUES
    assert work.keys == KEYS[12:]
    assert found.damaged == 0


@pytest.mark.parametrize("cut", [1, 30])
def test_a_file_cut_off_loses_its_last_line_alone(tmp_path, caplog, cut):
    path = tmp_path / "j"
    got(path, Work())
    path.write_bytes(path.read_bytes()[:-cut])
    work = Work()
    with caplog.at_level(logging.WARNING):
        values, found = got(path, work)
    assert (values, work.keys, found.damaged) == (VALUES, KEYS[19:], 1)
    assert (
        "removed 1 damaged lines, which are computed again; 19 valid ones are used" in caplog.text
    )
    assert got(path, Work(lasts=0))[1].damaged == 0  # mended


def test_a_file_cut_in_half_keeps_its_first_half(tmp_path):
    path = tmp_path / "j"
    got(path, Work())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:10]) + lines[10][:15])
    work = Work()
    values, found = got(path, work)
    assert (values, work.keys, found.damaged) == (VALUES, KEYS[10:], 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.replace(b"lue 7", b"lue 8"),  # readable, but another value
        lambda line: line.replace(b"key 7", b"key 8"),
        lambda line: b"\xff\xfe" + line,
        lambda _: b"",
        lambda _: b"[1, 2]",
        lambda _: b"7",
        lambda line: line[:-2] + b', "more": 1}',
    ],
)
def test_a_damaged_line_is_computed_again(tmp_path, damage):
    path = tmp_path / "j"
    got(path, Work())
    lines = path.read_bytes().split(b"\n")
    lines[7] = damage(lines[7])
    path.write_bytes(b"\n".join(lines))
    work = Work()
    values, found = got(path, work)
    assert (values, work.keys, found.damaged) == (VALUES, KEYS[7:8], 1)
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()].count("key 7") == 1


def test_garbage_is_no_journal_but_no_end_either(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b"\x00\x01garbage\n\nmore")
    values, found = got(path, Work())
    assert (values, found.damaged, found.computed) == (VALUES, 3, 20)


def test_numbers_come_back_exactly(tmp_path):
    numbers = [0.1 + 0.2, -1e-300, 3, None]
    for _ in range(2):
        found = Journal(tmp_path / "j").get(
            list("abcd"), lambda rows: [numbers[r] for r in rows], ""
        )
        assert found == numbers


def test_a_fault_of_the_computation_is_not_taken_for_the_disks(tmp_path):
    def compute(rows):
        raise FileNotFoundError("the model's file")

    with pytest.raises(FileNotFoundError, match="the model's file"):
        got(tmp_path / "b.jsonl", compute)
    assert got(tmp_path / "b.jsonl", Work())[0] == VALUES  # the lock was let go


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"can't be written .* writable cache folder"):
        got(tmp_path / "file" / "j", Work())
