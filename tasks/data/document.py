"""A JSON file read with suspicion: every fault names the file and a hint."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError

AGAIN = "Download it again (`bench data download`)"
OFFICIAL = "Put the official file there, unchanged"


@dataclass(frozen=True)
class Document:
    """A JSON file as read, with the SHA-256 of its bytes."""

    path: Path
    value: Any
    sha256: str

    def fault(self, what: str, *, id: str | None = None, hint: str = OFFICIAL) -> DataError:
        """A DataError at this file."""
        return DataError(what, hint=hint, file=self.path, id=id)


def read_json(path: Path) -> Document:
    """Raises DataError: unreadable, empty, not UTF-8, or JSON that is broken or ends too early."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})",
            file=path,
            hint="Make it a readable file, or download it again",
        ) from error
    if not data.strip():
        raise DataError("the file is empty", file=path, hint=AGAIN)
    try:
        value = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 at byte {error.start}", file=path, hint=f"Save it as UTF-8, or {AGAIN}"
        ) from error
    except json.JSONDecodeError as error:
        half = error.pos >= len(error.doc.rstrip()) or "Unterminated" in error.msg
        raise DataError(
            f"{'the JSON ends too early' if half else 'not JSON'} "
            f"({error.msg} at line {error.lineno}, character {error.pos} of {len(error.doc)})",
            file=path,
            hint=AGAIN,
        ) from error
    except RecursionError as error:
        raise DataError("the JSON is nested too deeply", file=path, hint=OFFICIAL) from error
    except ValueError as error:  # Python refuses numbers of more than 4,300 digits
        raise DataError(
            f"holds a number that is too long ({error})", file=path, hint=OFFICIAL
        ) from error
    return Document(path, value, hashlib.sha256(data).hexdigest())
