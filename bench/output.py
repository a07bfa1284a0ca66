"""Where text goes: to terminals, pipes and files. Every command prints through this module.

Names from bench.toml and from data are printed as they are, never read as markup. Colours and line
breaks are for terminals only. Characters that the output can't encode get a stand-in.
"""

import codecs
import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tasks.common.errors import StorageError
from tasks.common.files import write_text

if TYPE_CHECKING:
    from rich.console import Console

STAND_INS = (
    {"Δ": "D", "↑": "^", "↓": "v", "→": "->", "−": "-", "–": "-", "—": "-", "·": "-", "…": "..."}
    | {"×": "x", "±": "+-", "≤": "<=", "≥": ">=", "≈": "~", "§": "section "}
    | {"“": '"', "”": '"', "‘": "'", "’": "'"}
)
"""Character → what stands for it where the output can't encode it."""
HANDLER = "bench.stand-in"
LONGEST_PATH = 200
"""Characters that a message shows of a path."""
OF_USERS = {
    errno.ENAMETOOLONG, errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EDQUOT, errno.EROFS,
    errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EFBIG,
}  # fmt: skip
"""Errors of the system that the user can fix."""
NO_LIMIT = 100_000
"""Columns of an output that isn't a terminal: nothing is wrapped or left out."""


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    """A codec error handler: stand-ins for known characters, an escape for all others."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    known = (STAND_INS.get(char) or char.encode("ascii", "backslashreplace").decode()
             for char in text)  # fmt: skip
    return "".join(known), error.end


codecs.register_error(HANDLER, _replace_unencodable)


def prepare_streams() -> None:
    """Let stdout and stderr print any text, whatever their encoding (cp1252, ASCII …)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)


def make_encodable(text: str, encoding: str) -> str:
    """`text` with stand-ins for what `encoding` lacks, so that its width is known before layout."""
    return text.encode(encoding, HANDLER).decode(encoding)


def make_console(*, stderr: bool = False) -> "Console":
    """A console for stdout or stderr that prints text as it is.

    As wide as the terminal; elsewhere as wide as COLUMNS says, without limit by default.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or _read_columns() else NO_LIMIT
    return Console(stderr=stderr, width=width, markup=False, highlight=False, emoji=False)


def _read_columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() else 0


def echo(text: str, *, end: str = "\n") -> None:
    """Print text to stdout."""
    sys.stdout.write(text + end)


def echo_error(text: str, *, style: str = "") -> None:
    """Print a message to stderr, in colour if that is a terminal."""
    make_console(stderr=True).print(text, style=style, soft_wrap=True)


def flush_or_exit() -> None:
    """Write out what stdout has buffered; exit as `explain_os_error` does where it is full."""
    try:
        sys.stdout.flush()
    except OSError as error:
        explain_os_error(error)


def explain_os_error(error: OSError) -> NoReturn:
    """Say in one line that a path that the user named, or stdout, can't be used, and exit with 2.

    Raises `error` where it is of another kind, which would be a fault of this package.
    """
    if error.errno not in OF_USERS:
        raise error
    if error.filename is None:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to say
        if error.errno != errno.EPIPE:  # a reader that has seen enough needs no message
            echo_error(f"error: standard output can't be written ({error.strerror}). Free space.")
        sys.exit(2)
    name = str(error.filename)
    shown = name if len(name) <= LONGEST_PATH else f"{name[:LONGEST_PATH]}…"
    echo_error(f"error: {shown}: can't be used ({error.strerror}). Correct the path or its rights.")
    sys.exit(2)


def write_output(path: Path, text: str) -> None:
    """Write `text` to the file that a user named, whole or not at all.

    What is no ordinary file (/dev/null, a pipe, a link) is written to, never replaced.

    Raises StorageError where `path` is a folder or can't be written.
    """
    if path.is_dir():
        raise StorageError("is a folder", file=path, hint="Name a file")
    if not path.is_symlink() and (path.is_file() or not path.exists()):
        write_text(path, text)
        return
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})", file=path, hint="Name another file"
        ) from error
