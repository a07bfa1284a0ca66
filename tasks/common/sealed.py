"""JSON files that vouch for their own content: their last key is a SHA-256 of all that precedes it.

Without it, a changed digit in a stored number would still be valid JSON of the right shape.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.common.errors import StorageError
from tasks.common.files import write_text

_SEAL = re.compile(rb',\n  "sha256": "([0-9a-f]{64})"\n}\n\Z')
SEAL_BYTES = 90
"""Bytes at the end of a file that hold its checksum, and few more."""


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object of at least one key, with its checksum, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    body = text.removesuffix("\n}")
    digest = hashlib.sha256(body.encode()).hexdigest()
    write_text(path, f'{body},\n  "sha256": "{digest}"\n}}\n')


def unseal(data: bytes) -> tuple[bytes, bool | None]:
    """The JSON without its checksum, and whether it is as written; None if it has no checksum."""
    seal = _SEAL.search(data, max(0, len(data) - SEAL_BYTES))
    if seal is None:
        return data, None
    body = data[: seal.start()]
    return body + b"\n}\n", hashlib.sha256(body).hexdigest() == seal[1].decode()


def read_sealed(path: Path, hint: str) -> dict[str, Any]:
    """What `write_sealed` wrote.

    Raises StorageError, with this hint, if the file is missing, damaged or without a checksum.
    """
    try:
        data, sound = unseal(path.read_bytes())
    except FileNotFoundError as error:
        raise StorageError("is missing", file=path, hint=hint) from error
    except OSError as error:
        problem = f"can't be read ({error.strerror or error})"
        raise StorageError(problem, file=path, hint=hint) from error
    if not sound:
        problem = "has no checksum" if sound is None else "is damaged: its checksum differs"
        raise StorageError(problem, file=path, hint=hint)
    value: dict[str, Any] = json.loads(data)
    return value
