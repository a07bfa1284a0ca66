"""Reads JSON files; every error names the file and how to fix it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError

DOWNLOAD_AGAIN = "Download the file again (`bench data download`)"
USE_OFFICIAL = "Put the official file there, unmodified"
CORRECT = "Correct the item in this file"


@dataclass(frozen=True)
class Document:
    """The value of a JSON file, and the SHA-256 of its bytes.

    `hint` says what to do about a fault that has no better hint of its own.
    """

    path: Path
    value: Any
    sha256: str
    hint: str = USE_OFFICIAL

    def error(self, what: str, *, id: str | None = None, hint: str | None = None) -> DataError:
        """A DataError that names this file."""
        return DataError(what, hint=hint or self.hint, file=self.path, id=id)


def read_json(path: Path, *, official: bool = True) -> Document:
    """Read and parse a JSON file.

    Args:
        official: whether LaMP publishes the file; hints say to put it back, else to correct it.

    Raises:
        DataError: the file is unreadable, empty, truncated, or not JSON in UTF-8.
    """
    hint = USE_OFFICIAL if official else CORRECT
    again = DOWNLOAD_AGAIN if official else "Write the file again"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})",
            file=path,
            hint="Make the file readable" + (", or download it again" if official else ""),
        ) from error
    if not data.strip():
        raise DataError("the file is empty", file=path, hint=again)
    try:
        value = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 at byte {error.start}",
            file=path,
            hint="Save the file as UTF-8"
            + (", or download it again (`bench data download`)" if official else ""),
        ) from error
    except json.JSONDecodeError as error:
        truncated = error.pos >= len(error.doc.rstrip()) or "Unterminated" in error.msg
        raise DataError(
            f"{'the JSON ends too early' if truncated else 'not JSON'} "
            f"({error.msg} at line {error.lineno}, character {error.pos} of {len(error.doc)})",
            file=path,
            hint=again,
        ) from error
    except RecursionError as error:
        raise DataError("the JSON is nested too deeply", file=path, hint=hint) from error
    except ValueError as error:  # Python rejects integers of more than 4,300 digits
        raise DataError(
            f"contains a number that is too long ({error})", file=path, hint=USE_OFFICIAL
        ) from error
    return Document(path, value, hashlib.sha256(data).hexdigest(), hint)
