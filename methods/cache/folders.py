"""Model folders made once and shared: whole or absent, by one process at a time."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from filelock import FileLock
from safetensors import SafetensorError

from tasks.common.errors import StorageError


def make_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` unless it is there already.

    `make` gets an empty folder beside it, which takes its name when `make` ends well. Other
    processes that want the same folder wait. Raises StorageError where the disk is full or the
    place can't be written, and as it is a FileNotFoundError of `make` for a file elsewhere.
    """
    if folder.is_dir():
        return folder
    try:
        with hold_lock(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():
                part = folder.with_name(f".{folder.name}.part")
                shutil.rmtree(part, ignore_errors=True)
                part.mkdir()
                make(part)
                part.rename(folder)
    except (OSError, SafetensorError) as error:  # a full disk comes as either
        if isinstance(error, FileNotFoundError) and not _within(error.filename, folder.parent):
            raise
        raise _unwritable(folder, error) from error
    return folder


@contextmanager
def hold_lock(file: Path) -> Iterator[None]:
    """Alone with the lock `file`; its folder is made. Raises StorageError where it can't be."""
    lock = FileLock(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise _unwritable(file, error) from error
    try:
        yield
    finally:
        lock.release()


def set_aside(folder: Path, fault: Exception, then: str) -> None:
    """Rename a damaged folder to a free `<name>.damaged`, `<name>.damaged-2`, …, and warn.

    Args:
        fault, then: what is wrong with it, and what is done next, for the warning.

    Raises StorageError where it can't be renamed.
    """
    names = (f"{folder.name}.damaged{f'-{n}' if n > 1 else ''}" for n in count(1))
    aside = next(path for path in map(folder.with_name, names) if not path.exists())
    try:
        folder.rename(aside)
    except OSError as error:
        raise _unwritable(folder, error) from error
    warnings.warn(f"{fault} It is kept as {aside} and {then}.", stacklevel=3)


def _within(file: object, folder: Path) -> bool:
    """False where a file is named that lies elsewhere."""
    return not isinstance(file, str) or Path(file).resolve().is_relative_to(folder.resolve())


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"can't be written ({error})",
        file=path,
        hint="Free space or choose a writable cache folder, then run the same command again",
    )
