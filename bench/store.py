"""Where results are kept: one folder a cell, whole or absent, found again by its key.

<runs>/<suite>/<task>/<method>/<seed>-<key>/
    cell.json           what was run, on what, how long it took: the record
    predictions.jsonl   one line an example, in the examples' order
    scores.json         scores and per-example rows; rewritten by `bench score`
    submission.json     where the set has no golds: LaMP's format for the leaderboard
    model/              what the method learned, if anything
…/<seed>-<key>.error.txt   instead of the folder, where the cell failed; never taken for a result
"""

import dataclasses
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from filelock import FileLock, Timeout

from tasks import Prediction
from tasks.common.errors import StorageError
from tasks.common.files import content_key, write_json, write_text

RECORD, PREDICTIONS, SCORES, SUBMISSION, MODEL = (
    "cell.json",
    "predictions.jsonl",
    "scores.json",
    "submission.json",
    "model",
)
RUN_AGAIN = "Remove that folder and run the same command again"


def is_done(folder: Path) -> bool:
    """Whether the cell's results are stored (the folder appears only when it is whole)."""
    return (folder / RECORD).is_file()


class Busy(Exception):  # noqa: N818  a state, not an error
    """Another process has the cell in work."""


@contextmanager
def sole_writer(folder: Path, cache: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a cell or a fit for this process; the system lets go of it however the process ends.

    Locks lie in the cache, so that the runs hold results alone. Where another process holds it,
    `wait` for its end. Raises Busy where not, and StorageError where the cache can't be written.
    """
    try:
        (cache / "locks").mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / "locks" / content_key(str(folder)), blocking=wait)
        lock.acquire()
    except Timeout as error:
        raise Busy from error
    except OSError as error:
        raise _unwritable(cache, error) from error
    try:
        yield
    finally:
        lock.release()


def require_writable(folder: Path) -> None:
    """Raise StorageError unless a file can be made in `folder`, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the cell can't be stored ({error.strerror or error})",
        file=folder,
        hint="Free space or set store.runs and store.cache to writable folders, then run the same "
        "command again: what is done is kept",
    )


@contextmanager
def new_cell(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends well, and leaves nothing else.

    For the cell's `sole_writer`; what a killed one left is removed by the next.

    Raises StorageError where the disk is full or the place can't be written.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)  # of a run that was killed
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
        error_file(folder).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def error_file(folder: Path) -> Path:
    """Where a failed cell's error is written."""
    return folder.with_name(f"{folder.name}.error.txt")


def write_error(folder: Path, text: str) -> None:
    """Record why a cell failed; a later success removes it."""
    write_text(error_file(folder), text)


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """One JSON line a prediction; no timings, so equal predictions are equal bytes."""
    lines = (json.dumps(dataclasses.asdict(p), ensure_ascii=False) + "\n" for p in predictions)
    write_text(path, "".join(lines))


def read_predictions(path: Path) -> list[Prediction]:
    """Stored predictions. Raises StorageError, naming the line, where the file was damaged."""
    found: list[Prediction] = []
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                fields = json.loads(line)
                fields["behaviors"] = tuple(fields["behaviors"])
                found.append(Prediction(**fields))
    except FileNotFoundError as error:
        raise StorageError("is missing", file=path, hint=RUN_AGAIN) from error
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"line {len(found) + 1} is damaged ({error})", file=path, hint=RUN_AGAIN
        ) from error
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A stored record. Raises StorageError where it is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StorageError("is missing", file=path, hint=RUN_AGAIN) from error
    except ValueError as error:
        raise StorageError(f"is damaged ({error})", file=path, hint=RUN_AGAIN) from error
    if not isinstance(value, dict):
        raise StorageError("is no JSON object", file=path, hint=RUN_AGAIN)
    return value


def write_submission(path: Path, task: str, predictions: Sequence[Prediction]) -> None:
    """The official leaderboard's format: {"task": …, "golds": [{id, output}]}."""
    answers = [{"id": p.id, "output": p.text or ""} for p in predictions]
    write_json(path, {"task": task, "golds": answers})
