"""Paths as people give them: with `~`, or naming something that is no file."""

import stat
from pathlib import Path

from tasks.common.errors import BenchError, ConfigError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def expand_home(path: Path) -> Path:
    """The path with `~` or `~user` at its start replaced by the home folder.

    Raises ConfigError if there is no such home.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{str(path.parts[0])!r} names no home folder", file=path, hint="Write the whole path"
        ) from error


def expand_argument(argument: str) -> str:
    """A command-line argument with `~/` expanded, also behind `--option=`, where shells leave it.

    Raises ConfigError as `expand_home` does.
    """
    option, equals, value = argument.partition("=")
    if equals and option.startswith("--") and value.startswith("~/"):
        return f"{option}={expand_home(Path(value))}"
    return str(expand_home(Path(argument))) if argument.startswith("~/") else argument


def find_kind(path: Path) -> str | None:
    """What a path is that is no regular file, e.g. "a folder"; "" for a file, None for nothing.

    Links are followed. Raises OSError if that can't be told, e.g. without permission.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:  # an embedded null character
        raise OSError(str(error)) from error
    return KINDS.get(stat.S_IFMT(mode), "")


def require_file(path: Path, error: type[BenchError], hint: str) -> None:
    """Raise `error` where a path is something else than a file: reading a pipe would wait forever.

    A path where nothing lies is left to whoever opens it.
    """
    try:
        kind = find_kind(path)
    except OSError as cause:
        what = f"can't be read ({cause.strerror or cause})"
        raise error(what, file=path, hint=hint) from cause
    if kind:
        raise error(f"is {kind}, not a file", file=path, hint=hint)
