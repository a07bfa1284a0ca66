"""Folders that are made once and shared between processes: whole or absent."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

from filelock import FileLock
from safetensors import SafetensorError

from methods.cache.checksums import check_checksums, has_checksums, write_checksums
from tasks.common.errors import ModelError, StorageError
from tasks.common.parts import atomic_folder

T = TypeVar("T")


def make_once(
    folder: Path,
    make: Callable[[Path], None],
    *,
    checksums: bool = True,
    made_alike: bool = False,
) -> Path:
    """Return `folder`, filled by `make` if it doesn't exist yet or is damaged.

    `make` fills a temporary folder, which is renamed to `folder` when `make` succeeds. Other
    processes that need the same folder wait. A damaged folder is set aside with a warning.

    Args:
        checksums: list the files' checksums in the folder, and compare them at every later call.
            Folders of earlier versions have no list and are returned as they are.
        made_alike: `make` gives the same bytes whenever it is called, so that a folder without a
            list is made again too.

    Raises StorageError if the disk is full or the place can't be written; a FileNotFoundError of
    `make` about a file elsewhere is passed on.
    """
    if _is_sound(folder, unlisted=not (checksums and made_alike)):
        return folder
    try:
        with hold_lock(folder.with_name(f".{folder.name}.lock")):
            if checksums and has_checksums(folder):
                load_kept(folder, check_checksums, "made again")
            elif checksums and made_alike:
                shutil.rmtree(folder, ignore_errors=True)
            if not folder.is_dir():
                with atomic_folder(folder) as part:
                    make(part)
                    if checksums:
                        write_checksums(part)
    except (OSError, SafetensorError) as error:  # a full disk comes as either
        if isinstance(error, FileNotFoundError) and not _within(error.filename, folder.parent):
            raise
        raise _unwritable(folder, error) from error
    return folder


def _is_sound(folder: Path, *, unlisted: bool) -> bool:
    """Whether the folder exists and is as it was made; `unlisted`: the answer without a list."""
    if not folder.is_dir():
        return False
    if not has_checksums(folder):
        return unlisted
    try:
        check_checksums(folder)
    except StorageError:
        return False
    return True


def load_kept(folder: Path, load: Callable[[Path], T], consequence: str) -> T | None:
    """What `load` reads from `folder`; None if it doesn't exist, or is damaged and was set aside.

    The checksums of its files are compared first, if it lists them. `load` reports damage as
    ModelError or StorageError; `consequence` says in the warning what happens next.
    """
    if not folder.is_dir():
        return None
    try:
        if has_checksums(folder):
            check_checksums(folder)
        return load(folder)
    except (ModelError, StorageError) as error:
        set_aside(folder, error, consequence)
        return None


@contextmanager
def hold_lock(file: Path) -> Iterator[None]:
    """Hold the lock `file`, whose folder is created. Raises StorageError if it can't be."""
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


def set_aside(folder: Path, fault: Exception, consequence: str) -> None:
    """Rename a damaged folder to a free `<name>.damaged`, `<name>.damaged-2`, …, and warn.

    Args:
        fault, consequence: what is wrong with it and what happens next, for the warning.

    Raises StorageError if it can't be renamed.
    """
    names = (f"{folder.name}.damaged{f'-{n}' if n > 1 else ''}" for n in count(1))
    aside = next(path for path in map(folder.with_name, names) if not path.exists())
    try:
        folder.rename(aside)
    except OSError as error:
        raise _unwritable(folder, error) from error
    warnings.warn(f"{fault} It is kept as {aside} and {consequence}.", stacklevel=3)


def _within(file: object, folder: Path) -> bool:
    """Whether `file` lies in `folder`; True if no file is named."""
    return not isinstance(file, str) or Path(file).resolve().is_relative_to(folder.resolve())


def _unwritable(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"can't be written ({error})",
        file=path,
        hint="Free space or choose a writable cache folder, then run the same command again",
    )
