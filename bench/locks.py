"""One process at a time for a cell; the operating system releases a killed process's locks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bench.store import storage_error
from tasks.common.files import content_key


class Busy(Exception):  # noqa: N818  a state, not an error
    """Another process holds the lock."""


@contextmanager
def lock_cell(folder: Path, cache: Path) -> Iterator[None]:
    """Hold the lock on a cell's folder while the block runs.

    Lock files lie in `cache`, so that the folder with the runs holds nothing but results.

    Raises:
        Busy: another process holds the lock.
        StorageError: the cache can't be written.
    """
    try:
        (cache / "locks").mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / "locks" / content_key(str(folder)), blocking=False)
        lock.acquire()
    except Timeout as error:
        raise Busy from error
    except OSError as error:
        raise storage_error(cache, error) from error
    try:
        yield
    finally:
        lock.release()
