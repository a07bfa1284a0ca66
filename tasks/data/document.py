"""Reads JSON files as programs save them; every error names the file and how to fix it."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError
from tasks.common.json_objects import KeyTwiceError, make_object
from tasks.common.paths import require_file

DOWNLOAD_AGAIN = "Download the file again (`bench data download`)"
USE_OFFICIAL = "Put the official file there, unmodified"
CORRECT = "Correct the item in this file"
SURROGATE = re.compile("[\udc80-\udcff]")
LARGE = 1 << 25
"""Characters of a large file."""
CONTEXT = 12
"""Characters shown on each side of a wrong byte."""


@dataclass(frozen=True)
class Document:
    """The value of a JSON file, and the SHA-256 of its bytes.

    `hint` says what to do about a fault that has no better hint of its own.
    """

    path: Path
    value: Any
    sha256: str
    hint: str = USE_OFFICIAL

    def error(
        self, what: str, *, id: str | None = None, hint: str | None = None, shape: str | None = None
    ) -> DataError:
        """A DataError that names this file; `shape` is what a file of the user's own must be."""
        if shape is not None and self.hint == CORRECT:
            hint = f"Write {shape} to this file"
        return DataError(what, hint=hint or self.hint, file=self.path, id=id)


def read_json(path: Path, *, official: bool = True) -> Document:
    """Read and parse a JSON file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Args:
        official: whether LaMP publishes the file; hints say to put it back, else to correct it.

    Raises:
        DataError: the file is unreadable, empty, truncated, not JSON or in another encoding, or
            something else than a file.
    """
    hint = USE_OFFICIAL if official else CORRECT
    again = DOWNLOAD_AGAIN if official else "Write the file again"
    readable = "Make the file readable" + (", or download it again" if official else "")
    require_file(path, DataError, "Put the JSON file itself there")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})", file=path, hint=readable
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    text = _decode(data, path, official)
    del data  # a large file's text is not held twice while it is parsed
    if not text.strip("\0 \t\r\n"):
        raise DataError("the file is empty", file=path, hint=again)
    try:
        # A large file's keys are not compared: that takes a tenth of its reading time.
        value = json.loads(text, object_pairs_hook=make_object if len(text) < LARGE else None)
    except KeyTwiceError as error:
        id = None if error.id is None else str(error.id)
        raise DataError(f"an object {error}", file=path, id=id, hint=hint) from error
    except json.JSONDecodeError as error:
        raise _explain(error, path, again) from error
    except RecursionError as error:
        raise DataError("the JSON is nested too deeply", file=path, hint=hint) from error
    except ValueError as error:  # Python rejects integers of more than 4,300 digits
        raise DataError(
            f"contains a number that is too long ({error})",
            file=path,
            hint=USE_OFFICIAL if official else "Write the number as text, in quotes",
        ) from error
    return Document(path, value, digest, hint)


def _decode(data: bytes, path: Path, official: bool) -> str:
    """The text of a JSON file, without its byte order mark. Raises DataError."""
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            what, id = f"not {encoding.upper()} at byte {error.start}", None
        else:
            what, id = _describe_byte(data, error.start), _find_row(data)
        again = ", or download it again (`bench data download`)" if official else ""
        raise DataError(
            what,
            file=path,
            id=id,
            hint="Save the file as UTF-8 (if it is in cp1252: `iconv -f cp1252 -t utf-8 FILE`)"
            + again,
        ) from error


def _describe_byte(data: bytes, place: int) -> str:
    """What stands at a byte that is not UTF-8, read as Windows' cp1252."""
    before, after = (
        part.decode("utf-8" if part.isascii() else "cp1252", "replace").split("\n")
        for part in (data[max(0, place - CONTEXT) : place], data[place : place + CONTEXT])
    )
    around = f"{before[-1]}{after[0]}"
    return f"not UTF-8 at byte {place} (0x{data[place]:02X}; in cp1252 it reads {around!r})"


def _find_row(data: bytes) -> str | None:
    """The id of the first row that holds a byte that is not UTF-8; None if no row can be told."""
    try:
        value = json.loads(data.decode("utf-8-sig", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    rows = value.get("golds") if isinstance(value, dict) else value
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and SURROGATE.search(json.dumps(row, ensure_ascii=False)):
            id = row.get("id")
            return None if id is None else SURROGATE.sub("\ufffd", str(id))
    return None


def _explain(error: json.JSONDecodeError, path: Path, again: str) -> DataError:
    """The error for a text that is not JSON."""
    what = error.msg.removesuffix(" at")
    truncated = error.pos >= len(error.doc.rstrip()) or "Unterminated" in error.msg
    if error.msg == "Extra data" and error.doc[error.pos] == "{":
        lines = "holds one JSON object after the other (JSON Lines)"
        return DataError(lines, file=path, hint="Put the objects into one list: [{…}, {…}]")
    return DataError(
        f"{'the JSON ends too early' if truncated else 'not JSON'} "
        f"({what} at line {error.lineno}, character {error.pos} of {len(error.doc)})",
        file=path,
        hint=again,
    )
