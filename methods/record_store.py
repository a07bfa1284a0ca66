"""Records by content key, each computed once and kept on disk: an LLM's answers cost hours."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from methods.runtime import Progress
from tasks.common.errors import StorageError
from tasks.common.files import content_key, write_text

T = TypeVar("T")
CHUNK = 256
"""Records computed between two saves: what a kill can lose."""


class RecordStore:
    """One file of records, shared by methods, cells, runs and processes.

    `file` holds JSON lines [key, value, check], `check` being a hash of the other two. Lines are
    appended and synced chunk by chunk; processes take turns by chunks, so that no two compute the
    same record. A line that is cut off or changed is dropped and counted, and its record computed
    again when it is asked for; the sound ones stay.

    Attributes:
        damaged: lines found damaged by this object.
    """

    def __init__(self, file: Path, progress: Progress) -> None:
        self.file, self.progress = file, progress
        self.damaged = 0
        self._records: dict[str, Any] = {}
        self._size = 0

    def get(
        self, wanted: Mapping[str, T], compute: Callable[[list[T]], Sequence[Any]], what: str
    ) -> dict[str, Any]:
        """The value of each key; those that aren't stored yet are computed first.

        Args:
            wanted: key → what its value is computed from.
            compute: items → one JSON value each, in their order.
            what: name of the work, for the progress.

        Raises:
            StorageError: the file can't be read or written.
        """
        missing = [key for key in wanted if key not in self._records]
        if missing:
            with self._turn():
                missing = [key for key in wanted if key not in self._records]
        if missing:
            told = f", {self.damaged} damaged records dropped" if self.damaged else ""
            self.progress.start(f"{what}{told}", len(missing))
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            with self._turn():
                new = [key for key in chunk if key not in self._records]
                if new:
                    values = compute([wanted[key] for key in new])
                    self._append(dict(zip(new, values, strict=True)))
            self.progress.advance(len(chunk))
        return {key: self._records[key] for key in wanted}

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Have the file to oneself, with all that others have added."""
        lock = FileLock(self.file.with_name(f".{self.file.name}.lock"))
        with self._storing():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            with self._storing():
                self._read()
            yield
        finally:
            lock.release()

    @contextmanager
    def _storing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"can't be read or written ({error.strerror or error})",
                file=self.file,
                mend="Free space or choose a writable cache folder, then run the same command "
                "again; what was stored before is kept",
            ) from error

    def _read(self) -> None:
        if not self.file.exists() or self.file.stat().st_size == self._size:
            return
        data = self.file.read_bytes()
        lines = [line for line in data.split(b"\n") if line]
        sound = [record for record in map(_sound, lines) if record is not None]
        self.damaged += len(lines) - len(sound)
        if len(sound) < len(lines) or not data.endswith(b"\n"):
            write_text(self.file, "".join(_line(key, value) for key, value in sound))
        self._records |= dict(sound)
        self._size = self.file.stat().st_size

    def _append(self, records: dict[str, Any]) -> None:
        with self._storing(), self.file.open("ab") as file:
            file.write("".join(_line(key, value) for key, value in records.items()).encode())
            file.flush()
            os.fsync(file.fileno())
            self._size = file.tell()
        self._records |= records


def _line(key: str, value: Any) -> str:
    return json.dumps([key, value, content_key([key, value])], ensure_ascii=False) + "\n"


def _sound(line: bytes) -> tuple[str, Any] | None:
    """The record of a line, or None where it is damaged."""
    try:
        key, value, check = json.loads(line)
    except (ValueError, TypeError):  # no JSON, or no list of three
        return None
    return (key, value) if check == content_key([key, value]) else None
