"""Expensive values on disk: each is computed once and survives a killed process."""

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from methods.cache.folders import hold_lock
from tasks.common.errors import StorageError
from tasks.common.files import write_text
from tasks.common.progress import Progress

CHUNK = 256
"""Values computed and written together: the most that a kill can lose."""


class Journal:
    """Key → JSON value, in an append-only file with one checksummed line per value.

    A line is {"key", "value", "crc"}, with the CRC-32 of key and value. Each chunk is synced before
    the next is computed. Damaged lines (a process killed while writing, a faulty disk) are removed,
    logged and computed again; all others are used. One process at a time computes; others that need
    the same file wait and then read its values.

    Attributes:
        damaged: damaged lines that this object removed.
        computed: values that this object computed; all others were stored.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self.progress = progress or Progress()
        self.damaged = 0
        self.computed = 0

    def get(
        self, keys: Sequence[str], compute: Callable[[Sequence[int]], Sequence[Any]], what: str
    ) -> list[Any]:
        """One value per key; missing ones are computed and stored first, equal keys once.

        Args:
            compute: positions in `keys` → a JSON value each; called with at most CHUNK of them.
            what: the phase's name in the progress display.

        Raises:
            StorageError: the folder can't be written, or the disk is full; what is stored is kept.
        """
        with self.hold() as stored:
            first = {key: row for row, key in reversed(list(enumerate(keys)))}
            missing = sorted(row for key, row in first.items() if key not in stored)
            if missing:
                self.progress.start(what, len(missing))
            for start in range(0, len(missing), CHUNK):
                rows = missing[start : start + CHUNK]
                new = dict(zip([keys[row] for row in rows], compute(rows), strict=True))
                self.add(new)
                stored.update(new)
                self.progress.advance(len(new))
        return [stored[key] for key in keys]

    @contextmanager
    def hold(self) -> Iterator[dict[str, Any]]:
        """All stored values; within, no other process computes, and `add` stores more."""
        with hold_lock(self.path.with_name(f".{self.path.name}.lock")):
            yield self._read()

    def add(self, values: dict[str, Any]) -> None:
        """Store computed values at once; only while `hold` holds the file."""
        self._append(values)
        self.computed += len(values)

    def _read(self) -> dict[str, Any]:
        """All valid lines; damaged ones are removed from the file."""
        if not self.path.exists():
            return {}
        with self._on_disk():
            stored, damaged = _split(self.path.read_bytes())
        if damaged:
            write_text(self.path, "".join(_line(key, value) for key, value in stored.items()))
            self.damaged += damaged
            logging.getLogger(__name__).warning(
                "%s: removed %d damaged lines, which are computed again; %d valid ones are used",
                self.path, damaged, len(stored),
            )  # fmt: skip
        return stored

    def _append(self, values: dict[str, Any]) -> None:
        text = "".join(_line(key, value) for key, value in values.items())
        with self._on_disk(), self.path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        """Report a failure of the disk as StorageError; errors of the computation pass through."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"can't be written or read ({error.strerror or error})",
                file=self.path,
                hint="Free space or choose a writable cache folder, then run the same command "
                "again; what was computed before is kept",
            ) from error


def count_damaged(path: Path) -> int:
    """The number of damaged lines of a journal, which `Journal` removes when it reads them."""
    return _split(path.read_bytes())[1]


def _split(data: bytes) -> tuple[dict[str, Any], int]:
    """(values of all valid lines by their keys, number of damaged lines)."""
    *lines, torn = data.split(b"\n")
    found = [_parse(line) for line in lines]
    return dict(pair for pair in found if pair is not None), found.count(None) + bool(torn)


def _line(key: str, value: Any) -> str:
    return json.dumps({"key": key, "value": value, "crc": _crc(key, value)}, allow_nan=False) + "\n"


def _crc(key: str, value: Any) -> int:
    return zlib.crc32(json.dumps([key, value], allow_nan=False).encode())


def _parse(line: bytes) -> tuple[str, Any] | None:
    """(key, value) of a valid line, else None."""
    try:
        record = json.loads(line)
        key, value = record["key"], record["value"]
        sound = set(record) == {"key", "value", "crc"} and record["crc"] == _crc(key, value)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (key, value) if sound else None
