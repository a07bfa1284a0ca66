"""Atomic file writes, and hashes of files and values."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.common.errors import StorageError
from tasks.common.parts import create_part, sync


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; it replaces `path` when the block succeeds.

    If the block raises or the process is killed, `path` is left as it was. Once it has returned,
    the file survives a power failure.

    Raises:
        StorageError: the disk is full or the folder is not writable.
    """
    temporary: Path | None = None
    try:
        temporary = create_part(path)
        yield temporary
        sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=path,
            hint="Free disk space or choose a writable folder, then run the same command again; "
            "earlier results are kept",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a stored file. Raises StorageError if it is missing or damaged."""
    again = "Run the same command again: what is damaged is computed again"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StorageError("is missing", file=path, hint=again) from error
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"can't be read ({error})", file=path, hint=again) from error
    if not isinstance(value, dict):
        raise StorageError("holds no JSON object", file=path, hint=again)
    return value


def content_key(value: Any, length: int = 16) -> str:
    """The first `length` hex digits of a JSON value's SHA-256; the order of keys doesn't matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
