"""Opens converted sets by the content of their files, and converts them where they aren't yet."""

import inspect
import shutil
import warnings
from functools import cache as once
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock

from tasks.common.digests import digest_file
from tasks.common.errors import DataError, StorageError
from tasks.common.files import content_key, sha256_of
from tasks.common.parts import atomic_folder, create_folder
from tasks.common.sealed import read_sealed, write_sealed
from tasks.data.stored.convert import BEHAVIORS, DATES, EXAMPLES, FIELDS, Source, convert
from tasks.data.stored.histories import HistoryTable
from tasks.data.stored.rows import UnevenError
from tasks.example import Example
from tasks.task import Task

ABOUT = "about.json"
AGAIN = "Run the same command again: what is damaged is made again"


def open_stored(
    source: Source, cache: Path, limit: int | None
) -> tuple[tuple[Example, ...], dict[str, str] | None] | None:
    """The first `limit` examples of a set and their golds, from its tables in `cache`.

    Histories are read when they are used. Returns None where the files need the plain reader.

    Raises StorageError where the tables can't be written.
    """
    code = _digest_code(type(source.task))
    if code is None:
        return None
    folder = cache / "data" / f"set-{_key(source, code)}"
    try:
        if _find_fault(folder, cache) is not None:
            create_folder(folder.parent)
            with FileLock(folder.with_name(f".{folder.name}.lock")):
                _make(folder, source, cache)
    except OSError as error:
        raise StorageError(
            f"can't be written ({error})",
            file=folder,
            hint="Free space or choose a writable cache folder, then run the same command again",
        ) from error
    return _read(folder, limit) if (folder / EXAMPLES).exists() else None


def _key(source: Source, code: str) -> str:
    task = source.task
    known = sorted(source.known)
    return content_key(
        {
            "questions": source.questions.sha256,
            "golds": source.golds,
            "task": [*task.identity(), task.labels, code],
            "known": [known, source.keep] if known else [],
            "dates": source.dates,
        },
        length=24,
    )


@once
def _digest_code(task: type[Task]) -> str | None:
    """A digest of the code that reads a task's rows; None for a task without a source file."""
    import tasks

    own = {path for kind in task.__mro__ if (path := _source_of(kind)) is not None}
    if _source_of(task) is None:
        return None
    paths = {*own, *Path(tasks.__file__).parent.rglob("*.py")}
    return content_key(sorted(map(sha256_of, paths)))


def _source_of(kind: type[Any]) -> Path | None:
    try:
        return Path(inspect.getfile(kind))
    except (TypeError, OSError):
        return None


def _fill(part: Path, source: Source) -> None:
    """Convert, or note that the files need the plain reader."""
    try:
        convert(source, part)
    except (UnevenError, DataError, ValueError, TypeError, LookupError, RecursionError):
        for name in (BEHAVIORS, EXAMPLES, DATES):
            (part / name).unlink(missing_ok=True)
    files = {path.name: sha256_of(path) for path in sorted(part.iterdir())}
    write_sealed(part / ABOUT, {"questions": source.questions.path.name, "files": files})


def _make(folder: Path, source: Source, cache: Path) -> None:
    """Convert, unless another process has done so in the meantime; damaged tables are removed."""
    fault = _find_fault(folder, cache)
    if fault is None:
        return
    if folder.is_dir():
        warnings.warn(f"{fault} The data is converted again.", stacklevel=2)
        shutil.rmtree(folder)
    with atomic_folder(folder) as part:
        _fill(part, source)
    _find_fault(folder, cache)  # stores the digests


def _find_fault(folder: Path, cache: Path) -> StorageError | None:
    """Why the tables can't be used, or None."""
    try:
        listed = read_sealed(folder / ABOUT, AGAIN)["files"]
        for name, digest in listed.items():
            if not (folder / name).exists():
                return StorageError("is missing", file=folder / name, hint=AGAIN)
            if digest_file(folder / name, cache) != digest:
                return StorageError("its checksum differs", file=folder / name, hint=AGAIN)
    except StorageError as error:
        return error
    return None


def _read(folder: Path, limit: int | None) -> tuple[tuple[Example, ...], dict[str, str] | None]:
    table = pa.ipc.open_file(pa.memory_map(str(folder / EXAMPLES))).read_all()
    dates = pa.ipc.open_file(pa.memory_map(str(folder / DATES))).read_all().to_pydict()
    rows = table.column("rows").combine_chunks()
    taken = table.slice(0, limit)
    histories = HistoryTable(
        folder / BEHAVIORS,
        rows.values.to_numpy(),
        rows.offsets.to_numpy()[1:],
        dict(zip(dates["raw"], dates["text"], strict=True)),
    ).histories(len(taken))
    columns = taken.select(FIELDS).to_pydict()
    examples = tuple(
        Example(id, user_id, input, query, subject, history, date)
        for history, (id, user_id, input, query, subject, date) in zip(
            histories, zip(*columns.values(), strict=True), strict=True
        )
    )
    if "gold" not in table.column_names:
        return examples, None
    golds = zip(columns["id"], taken.column("gold").to_pylist(), strict=True)
    return examples, dict(golds)
