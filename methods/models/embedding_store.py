"""Vectors of texts on disk; each distinct text is encoded once."""

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from methods.models.encoder import Side, Vectors
from tasks.common.errors import StorageError
from tasks.common.progress import Progress

ENCODING_VERSION = 2
"""Part of the folder's name; raised whenever `Encoder.encode` gives the same text other bits."""

_CHUNK = 512  # texts encoded and committed together; a killed process loses at most one chunk
_LOCK_SECONDS = 3600.0  # a process may have to wait while others encode their chunks
_TABLE = """
create table if not exists vectors
(key blob primary key, row integer not null, crc integer not null) without rowid
"""


class TextEncoder(Protocol):
    """What gives texts their vectors: an `Encoder`, or another source of them."""

    @property
    def identity(self) -> str:
        """Content key: equal identities give equal vectors."""

    @property
    def dimension(self) -> int:
        """D, the length of a vector."""

    @property
    def name(self) -> str:
        """Where it came from, for messages."""

    def text(self, text: str, side: Side) -> str:
        """`text` as it is read, prefix included."""

    def encode(self, texts: Sequence[str], *, side: Side) -> Vectors:
        """Vectors of `texts`, float32 [N, D]."""


class EmbeddingStore:
    """One encoder's vectors, shared by all users, splits, methods, runs and processes.

    The folder `folder`/<encoder identity>-<version of encoding>/ holds two files. `vectors.f32` has
    rows of D float32 values in the order of encoding and is memory-mapped. `index.sqlite` maps 16
    bytes of a text's SHA-256 (the text as the encoder reads it, prefix included) to its row and the
    row's CRC-32. The texts themselves aren't stored.

    Rows are written and synced before the index refers to them, so a process killed at any point
    loses at most the current chunk. Writers take turns by SQLite's lock, so no two encode the same
    text. A row that is missing from the file or fails its CRC is encoded again; a broken index is a
    StorageError.

    Attributes:
        healed: number of damaged rows that this object encoded again.
    """

    def __init__(
        self, encoder: TextEncoder, folder: Path, progress: Progress | None = None
    ) -> None:
        self.encoder = encoder
        self.folder = folder / f"{encoder.identity}-{ENCODING_VERSION}"
        self.progress = progress or Progress()
        self.healed = 0
        self._data = self.folder / "vectors.f32"
        self._index = self.folder / "index.sqlite"
        self._row_bytes = 4 * encoder.dimension
        self._mapped: Vectors = np.empty((0, encoder.dimension), np.float32)

    def get(self, texts: Sequence[str], *, side: Side) -> Vectors:
        """Vectors of `texts`, float32 [N, D], in their order; new texts are encoded first.

        Raises StorageError where the folder can't be written, the disk is full, or the index is
        broken.
        """
        rows = self.rows(texts, side=side)
        return np.array(self.matrix[rows])

    def rows(self, texts: Sequence[str], *, side: Side) -> npt.NDArray[np.int64]:
        """Rows of `texts` in `matrix`: [N]. Encodes and raises as `get` does."""
        key_of = {text: self._key(text, side) for text in dict.fromkeys(texts)}
        keys = [key_of[text] for text in texts]
        rows = self._intact(keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}
        if missing:
            self._encode(missing, side)
            rows |= self._intact(missing)
        return np.array([rows[key] for key in keys], np.int64)

    def add(self, texts: Iterable[str], *, side: Side) -> None:
        """Encode texts that aren't stored, without reading the others. Raises as `get` does."""
        wanted = {self._key(text, side): text for text in dict.fromkeys(texts)}
        with self._transaction() as index:
            missing = {key: text for key, text in wanted.items() if _place(index, key) is None}
        self._encode(missing, side)

    @property
    def matrix(self) -> Vectors:
        """All stored rows, float32 [rows, D], memory-mapped and read-only."""
        count = self._data.stat().st_size // self._row_bytes if self._data.exists() else 0
        if count != len(self._mapped):
            shape = (count, self.encoder.dimension)
            self._mapped = np.memmap(self._data, np.float32, "r", shape=shape)
        return self._mapped

    def _key(self, text: str, side: Side) -> bytes:
        read = self.encoder.text(text, side)
        return hashlib.sha256(read.encode("utf-8", "surrogatepass")).digest()[:16]

    def _intact(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        with self._transaction() as index:
            return self._read(index, keys)[0]

    def _read(
        self, index: sqlite3.Connection, keys: Iterable[bytes]
    ) -> tuple[dict[bytes, int], int]:
        """Key → row for intact vectors, and the number of damaged ones."""
        matrix = self.matrix
        found: dict[bytes, int] = {}
        damaged = 0
        for key in set(keys):
            place = _place(index, key)
            if place is None:
                continue
            row, crc = place
            if row < len(matrix) and zlib.crc32(matrix[row].data) == crc:
                found[key] = row
            else:
                damaged += 1
        return found, damaged

    def _encode(self, missing: dict[bytes, str], side: Side) -> None:
        """Store the vectors of `missing`, longest texts first to minimize padding."""
        if not missing:
            return
        self.progress.start("encode texts", len(missing))
        keys = sorted(missing, key=lambda key: (-len(missing[key]), key))
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            with self._transaction(write=True) as index:
                stored, damaged = self._read(index, chunk)  # by another process in the meantime
                new = [key for key in chunk if key not in stored]
                self._append(index, new, self.encoder.encode([missing[k] for k in new], side=side))
            self.healed += damaged
            self.progress.advance(len(chunk))

    def _append(self, index: sqlite3.Connection, keys: Sequence[bytes], vectors: Vectors) -> None:
        with self._data.open("ab") as file:
            half_row = file.tell() % self._row_bytes  # left by a killed process
            if half_row:
                file.truncate(file.tell() - half_row)
            first = file.seek(0, os.SEEK_END) // self._row_bytes
            file.write(vectors.tobytes())
            file.flush()
            os.fsync(file.fileno())
        rows = (
            (key, first + i, zlib.crc32(v.data))
            for i, (key, v) in enumerate(zip(keys, vectors, strict=True))
        )
        index.executemany("insert or replace into vectors values (?, ?, ?)", rows)

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """An atomic transaction; a writer excludes other writers, but not readers."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(
                sqlite3.connect(self._index, timeout=_LOCK_SECONDS, isolation_level=None)
            ) as index:
                index.execute(_TABLE)
                index.execute("begin immediate" if write else "begin")
                yield index
                index.execute("commit")
        except (OSError, sqlite3.OperationalError) as error:
            raise StorageError(
                f"embeddings can't be stored or read ({error})",
                file=self.folder,
                hint="Free space or choose a writable folder, then run the same command again; "
                "stored vectors are kept",
            ) from error
        except sqlite3.DatabaseError as error:
            raise StorageError(
                f"the index of stored embeddings is broken ({error})",
                file=self._index,
                hint="Delete its folder: the embeddings are encoded again on the next run",
            ) from error


def _place(index: sqlite3.Connection, key: bytes) -> tuple[int, int] | None:
    """(row, CRC-32) of a key, or None."""
    place: tuple[int, int] | None = index.execute(
        "select row, crc from vectors where key = ?", (key,)
    ).fetchone()
    return place
