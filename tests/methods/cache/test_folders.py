"""A folder that is made once: whatever prevents it is reported as it is."""

import errno
import os

import pytest
from safetensors import SafetensorError

from methods.cache.checksums import CHECKSUMS
from methods.cache.folders import load_kept, make_once
from tasks.common.errors import StorageError


def test_made_once_and_whole(tmp_path):
    made = []

    def make(folder):
        made.append(folder)
        (folder / "a").write_text("b")

    for _ in range(2):
        assert make_once(tmp_path / "x", make) == tmp_path / "x"
    assert len(made) == 1
    assert (tmp_path / "x" / "a").read_text() == "b"


def make_pair(folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "a").write_text("1.000")
    (folder / "b").write_text("2")


DAMAGES = {
    "a digit": lambda folder: (folder / "deep" / "a").write_text("1.083"),
    "the end": lambda folder: (folder / "b").write_text(""),
    "a file": lambda folder: (folder / "b").unlink(),
    "another file": lambda folder: (folder / "c").touch(),
    "the list": lambda folder: (folder / CHECKSUMS).write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_set_aside_and_made_again(tmp_path, damage):
    folder = make_once(tmp_path / "x", make_pair)
    damage(folder)
    with pytest.warns(UserWarning, match=r"kept as .*x\.damaged and made again"):
        make_once(folder, make_pair)
    assert (folder / "deep" / "a").read_text() == "1.000"
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["x", "x.damaged"]


def test_a_folder_of_an_earlier_version_is_kept_unless_it_can_be_made_alike(tmp_path):
    folder = tmp_path / "x"
    folder.mkdir()
    assert not [*make_once(folder, make_pair).iterdir()]
    assert load_kept(folder, lambda _: "sound", "made again") == "sound"
    assert (make_once(folder, make_pair, made_alike=True) / "b").read_text() == "2"


FULL = errno.ENOSPC, os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    "fault",
    [OSError(*FULL), OSError(*FULL, "/elsewhere"), SafetensorError(f"I/O error: {FULL[1]}")],
    ids=["unnamed", "elsewhere", "safetensors"],
)
def test_a_full_disk_is_told_with_the_folder(tmp_path, fault):
    def make(folder):
        raise fault

    with pytest.raises(StorageError, match="No space left") as raised:
        make_once(tmp_path / "x", make)
    assert str(tmp_path / "x") in str(raised.value)
    assert not (tmp_path / "x").exists()


def test_a_file_that_is_missing_elsewhere_is_no_fault_of_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError, match="lessons"):
        make_once(tmp_path / "made" / "x", lambda _: (tmp_path / "lessons").read_text())
    assert not (tmp_path / "made" / "x").exists()
