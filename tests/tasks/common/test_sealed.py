"""Files that vouch for their content; temporary ones that a dead process left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.common import parts
from tasks.common.errors import StorageError
from tasks.common.files import write_text
from tasks.common.parts import atomic_folder, create_part
from tasks.common.sealed import read_sealed, unseal, write_sealed

VALUE = {"a": [1.5, None], "ü": {}, "sha256": "x"}


def test_what_was_sealed_is_read(tmp_path):
    write_sealed(tmp_path / "a", VALUE)
    assert read_sealed(tmp_path / "a", "") == VALUE


def test_a_checksum_is_that_of_all_bytes_before_it(tmp_path):
    """printf '{\\n  "a": 1' | sha256sum"""
    write_sealed(tmp_path / "a", {"a": 1})
    digest = "d298ee5b852fc7dfacbb4dbf9c73da22d8a55ccb56c156043c930b278c39e889"
    assert (tmp_path / "a").read_text() == f'{{\n  "a": 1,\n  "sha256": "{digest}"\n}}\n'
    assert unseal((tmp_path / "a").read_bytes()) == (b'{\n  "a": 1\n}\n', True)


def test_every_flipped_bit_is_found(tmp_path):
    write_sealed(tmp_path / "a", VALUE)
    whole = (tmp_path / "a").read_bytes()
    for at in range(len(whole)):
        for bit in (0, 5):
            data = bytearray(whole)
            data[at] ^= 1 << bit
            (tmp_path / "a").write_bytes(data)
            with pytest.raises(StorageError, match=r"checksum.*Do this"):
                read_sealed(tmp_path / "a", "Do this")


@pytest.mark.parametrize("damage", ["missing", "folder", "unsealed"])
def test_an_unreadable_file_is_named(tmp_path, damage):
    path = tmp_path / "a"
    if damage == "folder":
        path.mkdir()
    elif damage == "unsealed":
        path.write_text("{}")
    with pytest.raises(StorageError, match=f"{path}: "):
        read_sealed(path, "Do this")


DIES = """
import os, sys
from pathlib import Path
from tasks.common.parts import create_part
create_part(Path(sys.argv[1]))
(create_part(Path(sys.argv[1]), folder=True) / "half").touch()
os._exit(1)
"""


def test_parts_of_dead_processes_are_removed_and_those_of_others_stay(tmp_path, monkeypatch):
    path = tmp_path / "a"
    subprocess.run([sys.executable, "-c", DIES, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    mine = create_part(path)
    other = create_part(tmp_path / "a.b")
    assert sorted(tmp_path.iterdir()) == sorted([mine, other])
    monkeypatch.setattr(parts.socket, "gethostname", lambda: "elsewhere")
    write_text(path, "written elsewhere")
    assert mine.exists()  # whether its writer lives is unknown there, and it is young
    os.utime(mine, (0, 0))
    write_text(path, "written a day later")
    assert sorted(tmp_path.iterdir()) == sorted([path, other])


def test_a_folder_that_another_process_has_made_meanwhile_stays(tmp_path):
    with atomic_folder(tmp_path / "x") as part:
        (part / "ours").touch()
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "theirs").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["x", "theirs"]


def test_the_folder_is_synced_after_the_rename(tmp_path, monkeypatch):
    """Else a power failure may undo the rename of what is reported as stored."""
    events = []
    sync, rename = os.fsync, Path.replace
    monkeypatch.setattr(
        os,
        "fsync",
        lambda fd: (events.append(str(Path(f"/proc/self/fd/{fd}").readlink())), sync(fd)),
    )
    monkeypatch.setattr(Path, "replace", lambda a, b: (events.append("rename"), rename(a, b))[1])
    write_text(tmp_path / "new" / "a", "x")
    place = events.index("rename")
    assert events[:place][0] == str(tmp_path)  # of the new folder's name
    assert ".a." in events[place - 1]
    assert events[place + 1 :] == [str(tmp_path / "new")]
