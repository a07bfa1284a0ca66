"""A folder that is made once: whatever prevents it is reported as it is."""

import errno
import os

import pytest
from safetensors import SafetensorError

from methods.cache.folders import make_once
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
