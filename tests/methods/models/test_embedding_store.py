import hashlib
import multiprocessing
import os
import signal
import sqlite3
import time

import numpy as np
import pytest

from methods.models import embedding_store
from methods.models.embedding_store import EmbeddingStore
from tasks.common.errors import StorageError
from tasks.common.progress import Progress

DIMENSION = 4
FOLDER = f"fake-{embedding_store.ENCODING_VERSION}"


class CountingEncoder:
    """Vectors from the texts' hashes; counts the texts that it encodes."""

    identity = "fake"
    dimension = DIMENSION

    def __init__(self, seconds=0.0):
        self.calls, self.seconds = 0, seconds

    def text(self, text, side):
        return f"query: {text}" if side == "query" else text

    def encode(self, texts, *, side):
        time.sleep(self.seconds * len(texts))
        self.calls += len(texts)
        return vectors_of([self.text(text, side) for text in texts])


def vectors_of(texts):
    digests = [hashlib.md5(text.encode(), usedforsecurity=False).digest() for text in texts]
    return np.array([list(digest[:DIMENSION]) for digest in digests], np.float32).reshape(-1, 4)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(embedding_store, "_CHUNK", 8)


def texts(count):
    return [f"text {number}" for number in range(count)]


def test_each_distinct_text_is_encoded_once(tmp_path):
    encoder = CountingEncoder()
    store = EmbeddingStore(encoder, tmp_path)
    asked = [*texts(20), *texts(20)[::-1]]
    np.testing.assert_array_equal(store.get(asked, side="document"), vectors_of(asked))
    assert encoder.calls == 20
    store.get(texts(25), side="document")
    assert encoder.calls == 25


def test_another_process_reuses_stored_vectors(tmp_path):
    EmbeddingStore(CountingEncoder(), tmp_path).get(texts(20), side="document")
    encoder = CountingEncoder()
    found = EmbeddingStore(encoder, tmp_path).get(texts(20), side="document")
    np.testing.assert_array_equal(found, vectors_of(texts(20)))
    assert encoder.calls == 0


def test_each_side_has_its_own_vectors(tmp_path):
    store = EmbeddingStore(CountingEncoder(), tmp_path)
    document, query = (store.get(["a"], side=side) for side in ("document", "query"))
    np.testing.assert_array_equal(document, vectors_of(["a"]))
    np.testing.assert_array_equal(query, vectors_of(["query: a"]))


def test_each_encoder_has_its_own_store(tmp_path):
    EmbeddingStore(CountingEncoder(), tmp_path).get(["a"], side="document")
    other = CountingEncoder()
    other.identity = "other"
    EmbeddingStore(other, tmp_path).get(["a"], side="document")
    assert other.calls == 1


def test_unusual_texts_are_stored(tmp_path):
    encoder = CountingEncoder()
    store = EmbeddingStore(encoder, tmp_path)
    asked = ["", " ", "é", "\x00", "a" * 100_000, "'; drop table vectors; --"]
    np.testing.assert_array_equal(store.get(asked, side="document"), vectors_of(asked))
    assert store.get([], side="document").shape == (0, DIMENSION)


def test_rows_point_into_the_matrix(tmp_path):
    store = EmbeddingStore(CountingEncoder(), tmp_path)
    assert store.matrix.shape == (0, DIMENSION)
    rows = store.rows(["a", "b", "a"], side="document")
    assert rows[0] == rows[2] != rows[1]
    np.testing.assert_array_equal(store.matrix[rows], vectors_of(["a", "b", "a"]))
    store.add(texts(30), side="document")
    assert len(store.matrix) == 32
    np.testing.assert_array_equal(store.rows(["a", "b", "a"], side="document"), rows)


def test_the_matrix_is_memory_mapped_and_read_only(tmp_path):
    store = EmbeddingStore(CountingEncoder(), tmp_path)
    store.add(texts(3), side="document")
    assert isinstance(store.matrix, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.matrix[0] = 0
    store.get(["text 0"], side="document")[0] = 7  # a copy, the caller's own


def test_progress_counts_encoded_texts(tmp_path):
    class Recording(Progress):
        def __init__(self):
            self.started, self.done = [], 0

        def start(self, what, total):
            self.started.append(total)

        def advance(self, steps=1):
            self.done += steps

    progress = Recording()
    store = EmbeddingStore(CountingEncoder(), tmp_path, progress)
    store.add(texts(20), side="document")
    store.add(texts(20), side="document")
    assert (progress.started, progress.done) == ([20], 20)


def test_a_kill_loses_at_most_one_chunk(tmp_path):
    class Dying(CountingEncoder):
        def encode(self, texts, *, side):
            if self.calls >= 16:
                raise KeyboardInterrupt
            return super().encode(texts, side=side)

    with pytest.raises(KeyboardInterrupt):
        EmbeddingStore(Dying(), tmp_path).add(texts(40), side="document")
    encoder = CountingEncoder()
    found = EmbeddingStore(encoder, tmp_path).get(texts(40), side="document")
    np.testing.assert_array_equal(found, vectors_of(texts(40)))
    assert encoder.calls == 24


def test_rows_written_but_not_indexed_are_ignored(tmp_path):
    """A process killed between the two writes leaves whole and half rows without an index."""
    store = EmbeddingStore(CountingEncoder(), tmp_path)
    store.add(texts(3), side="document")
    with (tmp_path / FOLDER / "vectors.f32").open("ab") as file:
        file.write(b"x" * (4 * DIMENSION * 2 + 5))
    again = EmbeddingStore(CountingEncoder(), tmp_path)
    np.testing.assert_array_equal(again.get(texts(9), side="document"), vectors_of(texts(9)))
    assert again.encoder.calls == 6


def test_damaged_rows_are_encoded_again(tmp_path):
    EmbeddingStore(CountingEncoder(), tmp_path).add(texts(8), side="document")
    file = tmp_path / FOLDER / "vectors.f32"
    damaged = bytearray(file.read_bytes())
    damaged[3] ^= 1
    file.write_bytes(damaged)
    store = EmbeddingStore(CountingEncoder(), tmp_path)
    np.testing.assert_array_equal(store.get(texts(8), side="document"), vectors_of(texts(8)))
    assert (store.encoder.calls, store.healed) == (1, 1)
    store.get(texts(8), side="document")
    assert store.healed == 1


@pytest.mark.parametrize("left", [0, 50])
def test_rows_of_a_truncated_file_are_encoded_again(tmp_path, left):
    EmbeddingStore(CountingEncoder(), tmp_path).add(texts(8), side="document")
    os.truncate(tmp_path / FOLDER / "vectors.f32", left)
    store = EmbeddingStore(CountingEncoder(), tmp_path)
    asked = ["new", *texts(8)]
    np.testing.assert_array_equal(store.get(asked, side="document"), vectors_of(asked))
    assert store.healed == 8 - left // (4 * DIMENSION)


def test_a_broken_index_is_reported_with_a_hint(tmp_path):
    EmbeddingStore(CountingEncoder(), tmp_path).add(texts(8), side="document")
    (tmp_path / FOLDER / "index.sqlite").write_bytes(b"not a database" * 500)
    with pytest.raises(StorageError, match="Delete its folder") as caught:
        EmbeddingStore(CountingEncoder(), tmp_path).get(["a"], side="document")
    assert caught.value.file.endswith("index.sqlite")


def test_an_empty_index_left_by_a_killed_process_is_filled(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "index.sqlite").touch()
    store = EmbeddingStore(CountingEncoder(), tmp_path)
    np.testing.assert_array_equal(store.get(["a"], side="document"), vectors_of(["a"]))


def test_an_unusable_folder_is_reported(tmp_path):
    (tmp_path / FOLDER).write_text("a file")
    with pytest.raises(StorageError, match="can't be stored"):
        EmbeddingStore(CountingEncoder(), tmp_path).get(["a"], side="document")


def fill(folder, count, seconds, calls):
    embedding_store._CHUNK = 8
    encoder = CountingEncoder(seconds)
    found = EmbeddingStore(encoder, folder).get(texts(count), side="document")
    np.testing.assert_array_equal(found, vectors_of(texts(count)))
    calls.put(encoder.calls)


def test_processes_share_the_work(tmp_path):
    context = multiprocessing.get_context("spawn")
    calls = context.Queue()
    workers = [context.Process(target=fill, args=(tmp_path, 100, 0.001, calls)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert sum(calls.get() for _ in workers) == 100


def test_a_store_survives_sigkill(tmp_path):
    context = multiprocessing.get_context("spawn")
    calls = context.Queue()
    worker = context.Process(target=fill, args=(tmp_path, 2000, 0.001, calls))
    worker.start()
    data = tmp_path / FOLDER / "vectors.f32"
    deadline = time.monotonic() + 30
    while not (data.exists() and data.stat().st_size > 200 * DIMENSION):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    encoder = CountingEncoder()
    found = EmbeddingStore(encoder, tmp_path).get(texts(2000), side="document")
    np.testing.assert_array_equal(found, vectors_of(texts(2000)))
    with sqlite3.connect(tmp_path / FOLDER / "index.sqlite") as index:
        (count,) = index.execute("select count(*) from vectors").fetchone()
    assert count == 2000
    assert 0 < encoder.calls < 2000
