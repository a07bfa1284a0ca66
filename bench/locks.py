"""One process at a time for a cell; the operating system releases a killed process's locks."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bench.store import storage_error
from tasks.common.files import content_key
from tasks.common.parts import create_folder

LOCKS = ".locks"
"""The hidden folder of lock files, next to the suites' folders."""
_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""What file systems answer that have no locks."""


class Busy(Exception):  # noqa: N818  a state, not an error
    """Another process holds the lock."""


@contextmanager
def lock_cell(folder: Path, cache: Path) -> Iterator[None]:
    """Hold the lock on a cell's folder while the block runs.

    The lock file lies with the runs, under the cell's place within them: so processes with caches
    of their own, or with another spelling of the runs' folder, take the same lock. Only on a file
    system without locks it lies in `cache`. Where not even that is shared, two processes may run
    one cell; the first result is kept.

    Raises:
        Busy: another process holds the lock.
        StorageError: the lock file can't be written.
    """
    runs, name = folder.parents[3], content_key(folder.parts[-4:])
    try:
        lock = _acquire(runs / LOCKS / name) or _acquire(cache / "locks" / name)
    except Timeout as error:
        raise Busy from error
    except OSError as error:
        raise storage_error(runs, error) from error
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _acquire(file: Path) -> FileLock | None:
    """The lock, held; None where the file system has no locks. Raises Timeout and OSError."""
    create_folder(file.parent)
    lock = FileLock(file, blocking=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return lock
