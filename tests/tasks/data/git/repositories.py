"""Builds git repositories for tests, each by one `git fast-import`."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
START = 1_700_000_000
"""2023-11-14 22:13:20 UTC."""


@dataclass
class Act:
    """A commit to be made; `merges` is the place of a second parent."""

    message: bytes | str
    name: str = "Ann Lee"
    mail: str = "ann@lee.org"
    time: int | None = None
    files: Sequence[str] = ()
    merges: int | None = None
    more: dict[str, bytes] = field(default_factory=dict)


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git in a folder; returns what it prints."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=stdin,
        capture_output=True,
        check=True,
        env=kept | {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
    )
    return done.stdout.decode().strip()


def make_repository(
    folder: Path, acts: Sequence[Act], *, bare: bool = False, encoding: str = ""
) -> Path:
    """A repository of these commits, one after the other on `main`, a second apart."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *(["--bare"] if bare else []))
    stream = b""
    for place, act in enumerate(acts, start=1):
        message = act.message if isinstance(act.message, bytes) else act.message.encode()
        time = START + place if act.time is None else act.time
        who = f"{act.name} <{act.mail}> {time} +0200".encode()
        stream += f"commit refs/heads/main\nmark :{place}\n".encode()
        stream += b"author " + who + b"\ncommitter " + who + b"\n"
        if encoding:
            stream += f"encoding {encoding}\n".encode()
        stream += b"data %d\n" % len(message) + message + b"\n"
        if act.merges is not None:
            stream += f"merge :{act.merges}\n".encode()
        for path, content in {**dict.fromkeys(act.files, b"%d" % place), **act.more}.items():
            stream += b"M 100644 inline " + path.encode() + b"\n"
            stream += b"data %d\n" % len(content) + content + b"\n"
    git(folder, "fast-import", "--quiet", "--date-format=raw-permissive", stdin=stream)
    return folder
