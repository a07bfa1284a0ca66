"""Costly values on disk, each computed once and kept whatever happens to the process."""

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
"""Values computed and written in one go: what a kill can lose."""


class Journal:
    """Key → JSON value, in a file that only grows: one checked line a value.

    A line is {"key", "value", "crc"}, the CRC-32 being that of key and value. Chunks are synced
    before the next is computed. Where a process was killed while it wrote, or the disk spoiled
    lines, those are taken out, logged and computed again; all others are used. One process at a
    time computes; others that want the same file wait and then find its values.

    Attributes:
        damaged: lines found unreadable and taken out by this object.
        computed: values computed by this object; all others were found.
    """

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self.progress = progress or Progress()
        self.damaged = 0
        self.computed = 0

    def get(
        self, keys: Sequence[str], compute: Callable[[Sequence[int]], Sequence[Any]], what: str
    ) -> list[Any]:
        """One value per key; what is not stored is computed first, equal keys once.

        Args:
            compute: positions in `keys` → a JSON value each; called with CHUNK at most.
            what: the phase's name for the progress.

        Raises:
            StorageError: the folder can't be written, or the disk is full; what is stored is kept.
        """
        with hold_lock(self.path.with_name(f".{self.path.name}.lock")):
            stored = self._read()
            first = {key: row for row, key in reversed(list(enumerate(keys)))}
            missing = sorted(row for key, row in first.items() if key not in stored)
            if missing:
                self.progress.start(what, len(missing))
            for start in range(0, len(missing), CHUNK):
                rows = missing[start : start + CHUNK]
                new = dict(zip([keys[row] for row in rows], compute(rows), strict=True))
                self._append(new)
                stored |= new
                self.computed += len(new)
                self.progress.advance(len(new))
        return [stored[key] for key in keys]

    def _read(self) -> dict[str, Any]:
        """All sound lines; where others stand between them, the file is written anew without."""
        if not self.path.exists():
            return {}
        with self._on_disk():
            *lines, torn = self.path.read_bytes().split(b"\n")
        found = [_parsed(line) for line in lines]
        stored = dict(pair for pair in found if pair is not None)
        damaged = found.count(None) + bool(torn)
        if damaged:
            write_text(self.path, "".join(_line(key, value) for key, value in stored.items()))
            self.damaged += damaged
            logging.getLogger(__name__).warning(
                "%s: %d damaged lines taken out, to be computed again; %d sound ones are used",
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
        """What the disk refuses is told; a fault of the computation is not the journal's."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"can't be written or read ({error.strerror or error})",
                file=self.path,
                hint="Free space or choose a writable cache folder, then run the same command "
                "again; what was computed before is kept",
            ) from error


def _line(key: str, value: Any) -> str:
    return json.dumps({"key": key, "value": value, "crc": _crc(key, value)}, allow_nan=False) + "\n"


def _crc(key: str, value: Any) -> int:
    return zlib.crc32(json.dumps([key, value], allow_nan=False).encode())


def _parsed(line: bytes) -> tuple[str, Any] | None:
    """(key, value) of a sound line, else None."""
    try:
        record = json.loads(line)
        key, value = record["key"], record["value"]
        sound = set(record) == {"key", "value", "crc"} and record["crc"] == _crc(key, value)
    except (ValueError, KeyError, TypeError):
        return None
    return (key, value) if sound else None
