"""Removing stored cells, or moving them to an archive; cells that are running are left alone."""

import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import store
from bench.locks import Busy, lock_cell
from tasks.common.errors import ConfigError, StorageError
from tasks.common.files import atomic_write
from tasks.common.parts import atomic_folder, create_part, sync
from tasks.common.registry import did_you_mean

ARCHIVES = {".tar": "w", ".tgz": "w:gz", ".gz": "w:gz"}
"""End of an archive's name → mode of tarfile; any other name is that of a folder."""


@dataclass(frozen=True)
class StoredCell:
    """A finished or failed cell on disk.

    Attributes:
        folder: of its results; a failed cell has only the error file next to it.
        bytes: that both take up.
    """

    suite: str
    task: str
    method: str
    folder: Path
    bytes: int

    @property
    def key(self) -> str:
        """As in `bench plan --cells`."""
        return self.folder.name.rpartition("-")[2]

    @property
    def title(self) -> str:
        """A short name for messages."""
        return f"{self.task} · {self.method} · {self.folder.name}"


@dataclass
class Outcome:
    """What became of the chosen cells: `busy` ones are running and were left as they are."""

    done: list[StoredCell] = field(default_factory=list)
    busy: list[StoredCell] = field(default_factory=list)


def find_stored(
    runs: Path,
    suite: str,
    *,
    methods: Sequence[str] = (),
    tasks: Sequence[str] = (),
    keys: Sequence[str] = (),
) -> list[StoredCell]:
    """The stored cells of a suite under any settings, narrowed to these methods, tasks and keys.

    Args:
        methods: with their control, as in tables ("bm25@shuffled-user").

    Raises ConfigError where nothing is stored of the suite, or under one of these names.
    """
    suites = sorted(path.name for path in _list(runs) if path.is_dir()) if runs.is_dir() else []
    if suite not in suites:
        raise ConfigError(
            f"no results of suite {suite!r} are stored",
            file=runs,
            hint=did_you_mean(suite, suites),
        )
    cells = list(_scan(runs, suite))
    for wanted, known, what in (
        (methods, [cell.method for cell in cells], "method"),
        (tasks, [cell.task for cell in cells], "task"),
        (keys, [cell.key for cell in cells], "key"),
    ):
        for name in wanted:
            if name not in known:
                raise ConfigError(
                    f"no results of {what} {name!r} are stored in suite {suite!r}",
                    hint=did_you_mean(name, sorted(set(known))),
                )
    return [
        cell
        for cell in cells
        if (not methods or cell.method in methods)
        and (not tasks or cell.task in tasks)
        and (not keys or cell.key in keys)
    ]


def is_damaged(cell: StoredCell) -> bool:
    """Whether a file of a finished cell is missing or not as it was stored, scores apart.

    Damaged scores don't count: `bench score` derives them again.
    """
    if not store.is_done(cell.folder):
        return cell.folder.is_dir()
    try:
        record = store.read_record(cell.folder)
        store.check_files(cell.folder, record)
    except StorageError:
        return True
    return False


def remove(cells: Sequence[StoredCell], cache: Path) -> Outcome:
    """Remove these cells, results and error files, and folders that are empty then.

    Raises StorageError where a file can't be removed; cells before it are removed.
    """
    with _hold(cells, cache) as outcome:
        for cell in outcome.done:
            _remove(cell)
    return outcome


def archive(cells: Sequence[StoredCell], out: Path, cache: Path) -> Outcome:
    """Move these cells to a new .tar.gz, .tgz or .tar file, or to a folder.

    Both hold <suite>/<task>/<method>/<seed>-<key>, as the runs do: `store.runs` may name the
    folder. A cell is removed only when its copy is whole on the disk.

    Raises:
        ConfigError: the file exists, or the folder holds one of the cells.
        StorageError: the archive can't be written; nothing is removed.
    """
    move = _archive_to_file if out.suffix in ARCHIVES else _archive_to_folder
    with _hold(cells, cache) as outcome:
        _guard(out, lambda: move(outcome.done, out))
    return outcome


def _archive_to_file(cells: Sequence[StoredCell], out: Path) -> None:
    if out.exists():
        raise ConfigError("exists already", file=out, hint="Name a new file, or a folder")
    with atomic_write(out) as part, tarfile.open(part, ARCHIVES[out.suffix]) as tar:  # type: ignore[call-overload]
        for cell in cells:
            for path in _files(cell):
                tar.add(path, "/".join(path.parts[-4:]))
    for cell in cells:
        _remove(cell)


def _archive_to_folder(cells: Sequence[StoredCell], out: Path) -> None:
    targets = {cell: out / cell.suite / cell.task / cell.method for cell in cells}
    for cell, target in targets.items():
        for path in _files(cell):
            if (target / path.name).exists():
                raise ConfigError(
                    "is archived already", file=target / path.name, hint="Name another folder"
                )
    for cell, target in targets.items():
        for path in _files(cell):
            if path.is_dir():
                with atomic_folder(target / path.name) as part:
                    shutil.copytree(path, part, dirs_exist_ok=True)
            else:
                with atomic_write(target / path.name) as part:
                    shutil.copyfile(path, part)
        _remove(cell)


def _guard(place: Path, act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        raise StorageError(
            f"can't be written or removed ({error.strerror or error})",
            file=place,
            hint="Free space or correct the rights, then run the same command again",
        ) from error


@contextmanager
def _hold(cells: Sequence[StoredCell], cache: Path) -> Iterator[Outcome]:
    """Hold the locks of all cells that aren't running; the others are `busy`."""
    outcome = Outcome()
    with ExitStack() as locks:
        for cell in cells:
            try:
                locks.enter_context(lock_cell(cell.folder, cache))
                outcome.done.append(cell)
            except Busy:
                outcome.busy.append(cell)
        yield outcome


def _remove(cell: StoredCell) -> None:
    """At once: a process killed meanwhile leaves a hidden folder, never half a result."""

    def act() -> None:
        if cell.folder.is_dir():
            part = create_part(cell.folder, folder=True)
            cell.folder.rename(part)
            sync(part.parent)
            shutil.rmtree(part)
        store.error_file(cell.folder).unlink(missing_ok=True)
        for parent in cell.folder.parents[:3]:
            if any(parent.iterdir()):
                break
            parent.rmdir()

    _guard(cell.folder, act)


def _scan(runs: Path, suite: str) -> Iterator[StoredCell]:
    for task in _list(runs / suite):
        for method in _list(task) if task.is_dir() else ():
            names = [path.name for path in _list(method)] if method.is_dir() else []
            for name in dict.fromkeys(name.removesuffix(store.ERROR_SUFFIX) for name in names):
                folder = method / name
                size = sum(_size(path) for path in (folder, store.error_file(folder)))
                yield StoredCell(suite, task.name, method.name, folder, size)


def _list(folder: Path) -> list[Path]:
    """Without hidden ones: locks, and what is being written."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _files(cell: StoredCell) -> list[Path]:
    """The cell's folder and its error file, as far as they exist."""
    return [path for path in (cell.folder, store.error_file(cell.folder)) if path.exists()]


def _size(path: Path) -> int:
    inner = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in inner if file.is_file())
