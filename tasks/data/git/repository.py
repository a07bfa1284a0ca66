"""Reads commits from repositories on this machine, by the `git` command."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from tasks.common.errors import ConfigError, DataError

FIELDS = ("%H", "%aN", "%aE", "%at", "%s", "%b")
"""Of `git log`: commit, author's name and address by the mailmap, seconds, subject, body."""
SETTINGS = ("core.fsmonitor=false", "log.showSignature=false", "core.quotePath=false")
"""Of the user's or the repository's own, those that run programs or change what is printed."""
BLOCK = 1 << 20


@dataclass(frozen=True)
class Repository:
    """A repository that can be read: its folder, and the commit that HEAD is at."""

    path: Path
    head: str


@dataclass(frozen=True)
class Commit:
    """A commit as it was written.

    Attributes:
        id: its hash.
        name, mail: of its author, by the repository's mailmap.
        time: when it was written, in seconds since 1970 (UTC); None where that is no number.
        subject, body: the message; a character that is not UTF-8 is U+FFFD.
    """

    id: str
    name: str
    mail: str
    time: int | None
    subject: str
    body: str


def open_repository(path: Path) -> Repository:
    """A repository, bare or not, with its whole history.

    Raises:
        ConfigError: git is not installed.
        DataError: `path` is no repository, or an empty or a shallow one.
    """
    if not path.is_dir():
        raise DataError(
            "is a file" if path.exists() else "there is no such folder",
            file=path,
            hint="Name the folder of a git repository",
        )
    where = _ask(path, "rev-parse", "--absolute-git-dir", "--is-inside-work-tree")
    folder, inside = where.splitlines()
    tops = {Path(folder).resolve()}
    if inside == "true":
        tops.add(Path(_ask(path, "rev-parse", "--show-toplevel")).resolve())
    if path.resolve() not in tops:
        raise DataError(
            f"is a folder inside the repository {max(tops, key=lambda top: top.name != '.git')}",
            file=path,
            hint="Name the repository itself",
        )
    if _ask(path, "rev-parse", "--is-shallow-repository") == "true":
        raise DataError(
            "is a shallow clone, whose older commits are missing",
            file=path,
            hint="Run `git fetch --unshallow` there",
        )
    head = _ask(path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", may_fail=True)
    if not head:
        raise DataError(
            "has no commits (HEAD points to none)",
            file=path,
            hint="Check out a branch that has commits, or leave this repository out",
        )
    return Repository(path, head)


def read_commits(repository: Repository) -> Iterator[Commit]:
    """The commits that HEAD reaches, without merges, as git lists them.

    Raises DataError if git fails on the way, as it does where objects are missing.
    """
    form = "%x00".join(FIELDS)
    arguments = ("log", "--no-merges", "--use-mailmap", "--no-color", "--no-ext-diff")
    fields = _stream(
        repository.path, *arguments, "--encoding=UTF-8", "-z", f"--format=tformat:{form}", "HEAD"
    )
    for id in fields:
        name, mail, time, subject, body = (next(fields) for _ in FIELDS[1:])
        seconds = int(time) if time.lstrip("-").isdecimal() else None
        yield Commit(id, name, mail, seconds, subject, body)


def read_changed_files(repository: Repository, ids: Sequence[str]) -> dict[str, list[str]]:
    """Commit → the paths that it changed, sorted as git sorts them.

    Raises DataError if git fails.
    """
    files: dict[str, list[str]] = {id: [] for id in ids}
    arguments = ("diff-tree", "--stdin", "-r", "--root", "--name-only", "-z", "--no-ext-diff")
    current: list[str] = []
    for text in _stream(repository.path, *arguments, lines=ids):
        if text in files:
            current = files[text]
        else:
            current.append(text)
    return files


def git_version() -> str:
    """What `git --version` prints. Raises ConfigError if git is not installed."""
    return _ask(Path(), "--version")


def _command(path: Path, arguments: Sequence[str]) -> list[str]:
    git = shutil.which("git")
    if git is None:
        raise ConfigError("git is not installed", hint="Install it, or add its folder to PATH")
    options = [part for setting in SETTINGS for part in ("-c", setting)]
    return [git, "--no-pager", *options, "-C", str(path.resolve()), *arguments]


def _environment() -> dict[str, str]:
    """Without variables that would point git elsewhere; in English, asking and fetching nothing."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"}
    return {**kept, **quiet, "LC_ALL": "C", "LANGUAGE": ""}


def _ask(path: Path, *arguments: str, may_fail: bool = False) -> str:
    """What git prints, without the last line's end; "" where it fails and may."""
    done = subprocess.run(  # noqa: S603  git itself, its arguments as a list
        _command(path, arguments), capture_output=True, env=_environment(), check=False
    )
    if done.returncode:
        if may_fail:
            return ""
        raise _fault(path, done.stderr)
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def _stream(path: Path, *arguments: str, lines: Sequence[str] = ()) -> Iterator[str]:
    """The texts that git prints, each ended by a NUL; `lines` is what it reads.

    Raises DataError if git fails, after what it printed until then.
    """
    with TemporaryFile() as asked, TemporaryFile() as errors:
        asked.write("".join(f"{line}\n" for line in lines).encode())
        asked.seek(0)
        with subprocess.Popen(  # noqa: S603  git itself, its arguments as a list
            _command(path, arguments),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
        ) as process:
            output = process.stdout
            rest = b""
            while output is not None and (block := output.read(BLOCK)):
                *texts, rest = (rest + block).split(b"\0")
                yield from (text.decode("utf-8", "replace") for text in texts)
        if process.returncode:
            errors.seek(0)
            raise _fault(path, errors.read())


def _fault(path: Path, printed: bytes) -> DataError:
    """Git's refusal in the user's terms."""
    text = printed.decode("utf-8", "replace").strip()
    said = text.removeprefix("fatal: ").partition("\n")[0] or "git fails without a word"
    if "not a git repository" in text:
        said, hint = "is not a git repository", "Name the folder of a git repository"
    elif "dubious ownership" in text:
        said = "belongs to another user, so git refuses to read it"
        hint = f"If you trust it: git config --global --add safe.directory {path.resolve()}"
    else:
        hint = "Run `git fsck` there, or clone the repository again"
    return DataError(said, file=path, hint=hint)
