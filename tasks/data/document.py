"""Reads JSON files; every error names the file and how to fix it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError

DOWNLOAD_AGAIN = "Download the file again (`bench data download`)"
USE_OFFICIAL = "Put the official file there, unmodified"


@dataclass(frozen=True)
class Document:
    """The value of a JSON file, and the SHA-256 of its bytes."""

    path: Path
    value: Any
    sha256: str

    def error(self, what: str, *, id: str | None = None, hint: str = USE_OFFICIAL) -> DataError:
        """A DataError that names this file."""
        return DataError(what, hint=hint, file=self.path, id=id)


def read_json(path: Path) -> Document:
    """Read and parse a JSON file.

    Raises:
        DataError: the file is unreadable, empty, truncated, or not JSON in UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})",
            file=path,
            hint="Make the file readable, or download it again",
        ) from error
    if not data.strip():
        raise DataError("the file is empty", file=path, hint=DOWNLOAD_AGAIN)
    try:
        value = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 at byte {error.start}",
            file=path,
            hint="Save the file as UTF-8, or download it again (`bench data download`)",
        ) from error
    except json.JSONDecodeError as error:
        truncated = error.pos >= len(error.doc.rstrip()) or "Unterminated" in error.msg
        raise DataError(
            f"{'the JSON ends too early' if truncated else 'not JSON'} "
            f"({error.msg} at line {error.lineno}, character {error.pos} of {len(error.doc)})",
            file=path,
            hint=DOWNLOAD_AGAIN,
        ) from error
    except RecursionError as error:
        raise DataError("the JSON is nested too deeply", file=path, hint=USE_OFFICIAL) from error
    except ValueError as error:  # Python rejects integers of more than 4,300 digits
        raise DataError(
            f"contains a number that is too long ({error})", file=path, hint=USE_OFFICIAL
        ) from error
    return Document(path, value, hashlib.sha256(data).hexdigest())
