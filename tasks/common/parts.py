"""Temporary files and folders that become final by a rename, and how those of the dead are removed.

A part is named by what it becomes and by the process that writes it, so that no two processes write
the same one, whatever caches, locks and spellings of a path they use.
"""

import errno
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHER_HOST_SECONDS = 24 * 3600
"""Age at which another machine's part is taken for a killed process's: whether it lives is unknown
here."""
_WRITER = re.compile(r"([0-9a-f]{6})-(\d+)-\w+")
_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EBADF}
"""What file systems answer that can't sync a folder."""


def create_part(path: Path, *, folder: bool = False) -> Path:
    """A new, empty file (or folder) next to `path`, whose parents are created.

    Parts of `path` that a killed process left are removed. Raises OSError.
    """
    create_folder(path.parent)
    remove_dead_parts(path)
    prefix, suffix = f".{path.name}.{_host()}-{os.getpid()}-", ".part"
    if folder:
        part = Path(tempfile.mkdtemp(prefix=prefix, suffix=suffix, dir=path.parent))
        part.chmod(0o755)
        return part
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new, empty folder that takes the name `path` when the block succeeds.

    If `path` exists by then, because another process was faster, it stays and the new one is
    discarded. Whatever happens, nothing else is left behind. Raises OSError.
    """
    part = create_part(path, folder=True)
    try:
        yield part
        for inner in (*part.rglob("*"), part):
            sync(inner)
        try:
            part.rename(path)
        except OSError:
            if not path.is_dir():
                raise
        sync(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_dead_parts(path: Path) -> None:
    """Remove the parts of `path` whose writer is known to be dead."""
    with os.scandir(path.parent) as entries:
        parts = [
            Path(entry)
            for entry in entries
            if entry.name.startswith(f".{path.name}.") and entry.name.endswith(".part")
        ]
    for part in parts:
        if _is_dead(part, part.name[len(path.name) + 2 : -len(".part")]):
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)


def create_folder(folder: Path) -> None:
    """Create a folder and its parents so that they survive a power failure. Raises OSError."""
    if not folder.is_dir():
        create_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk. Raises OSError."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED or not path.is_dir():
            raise


def _is_dead(part: Path, writer: str) -> bool:
    found = _WRITER.fullmatch(writer)
    if found is None:  # a name of earlier versions, whose parts only the cell's owner wrote
        return _is_old(part)
    host, process = found[1], int(found[2])
    return not _runs(process) if host == _host() else _is_old(part)


def _is_old(part: Path) -> bool:
    try:
        return time.time() - part.stat().st_mtime > OTHER_HOST_SECONDS
    except OSError:
        return False


def _runs(process: int) -> bool:
    if os.name == "nt":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        pass
    return True


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
