"""Where results are kept: one folder per cell, complete or absent, named by the cell's key.

<runs>/<suite>/<task>/<method>/<seed>-<key>/
    cell.json           a CellRecord: what was run, on what, and what it cost
    predictions.jsonl   one Prediction per line, in the order of the examples
    scores.json         CellScores; `bench score` rewrites it
    submission.json     instead of scores, where the set has no golds: the leaderboard's format
    model/              what the method learned, if anything
…/<seed>-<key>.error.txt   instead of the folder, where the cell failed; never read as a result
"""

import dataclasses
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from bench.records import CellRecord, CellScores
from tasks import Prediction
from tasks.common.errors import StorageError
from tasks.common.files import write_json, write_text

RECORD, PREDICTIONS, SCORES, SUBMISSION, MODEL = (
    "cell.json",
    "predictions.jsonl",
    "scores.json",
    "submission.json",
    "model",
)
ERROR_SUFFIX = ".error.txt"
RUN_AGAIN = "Remove that folder and run the same command again"
SCORE_AGAIN = "Run `bench score` to compute it from the stored predictions"

R = TypeVar("R", bound=BaseModel)
_PREDICTION = TypeAdapter(Prediction)


def is_done(folder: Path) -> bool:
    """Whether the cell's results are stored (the folder appears only when it is complete)."""
    return (folder / RECORD).is_file()


def count_cells(runs: Path, suite: str) -> int:
    """The number of finished cells of a suite, under any settings."""
    return sum(
        not path.parent.name.startswith(".") for path in (runs / suite).glob(f"*/*/*/{RECORD}")
    )


def require_writable(folder: Path) -> None:
    """Create `folder` if need be. Raises StorageError unless a file can be written in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise storage_error(folder, error) from error


def storage_error(folder: Path, error: OSError) -> StorageError:
    """A failed write, with what the user can do about it."""
    return StorageError(
        f"the cell can't be stored ({error.strerror or error})",
        file=folder,
        hint="Free space or set store.runs and store.cache to writable folders, then run the same "
        "command again: finished cells are kept",
    )


@contextmanager
def create_cell(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends without an exception.

    Whatever happens, nothing else is left behind; what a killed process left is removed first.
    Only for the process that holds the cell's lock.

    Raises StorageError where the disk is full or the folder can't be written.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
        error_file(folder).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def error_file(folder: Path) -> Path:
    """Where a failed cell's error is written."""
    return folder.with_name(f"{folder.name}{ERROR_SUFFIX}")


def write_error(folder: Path, text: str) -> None:
    """Record why a cell failed; a later success removes it."""
    write_text(error_file(folder), text)


def write_record(folder: Path, record: CellRecord) -> None:
    """Write cell.json."""
    write_json(folder / RECORD, record.model_dump(mode="json"))


def read_record(folder: Path) -> CellRecord:
    """A cell's record. Raises StorageError where cell.json is missing or damaged."""
    return _read_model(folder / RECORD, CellRecord, "a cell's record", RUN_AGAIN)


def write_scores(folder: Path, scores: CellScores) -> None:
    """Write scores.json."""
    write_json(folder / SCORES, scores.model_dump(mode="json"))


def read_scores(folder: Path) -> CellScores | None:
    """A cell's scores; None where its set has no golds, so that it has a submission instead.

    Raises StorageError where scores.json is missing or damaged.
    """
    if (folder / SUBMISSION).is_file() and not (folder / SCORES).exists():
        return None
    return _read_model(folder / SCORES, CellScores, "a cell's scores", SCORE_AGAIN)


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """One JSON line per prediction; no timings, so equal predictions are equal bytes."""
    lines = (json.dumps(dataclasses.asdict(p), ensure_ascii=False) + "\n" for p in predictions)
    write_text(path, "".join(lines))


def read_predictions(path: Path) -> list[Prediction]:
    """Stored predictions. Raises StorageError, naming the line, where the file is damaged."""
    found: list[Prediction] = []
    for line in _read_bytes(path, RUN_AGAIN).splitlines():
        try:
            found.append(_PREDICTION.validate_json(line, strict=True))
        except ValidationError as error:
            raise StorageError(
                f"line {len(found) + 1} is damaged ({_first_fault(error)})",
                file=path,
                hint=RUN_AGAIN,
            ) from error
    return found


def write_submission(path: Path, task: str, predictions: Sequence[Prediction]) -> None:
    """The official leaderboard's format: {"task": …, "golds": [{id, output}]}."""
    answers = [{"id": p.id, "output": p.text or ""} for p in predictions]
    write_json(path, {"task": task, "golds": answers})


def _read_model(path: Path, model: type[R], what: str, hint: str) -> R:
    try:
        return model.model_validate_json(_read_bytes(path, hint))
    except ValidationError as error:
        fault = _first_fault(error)
        is_json = error.errors(include_url=False)[0]["type"] != "json_invalid"
        problem = f"is not {what} ({fault})" if is_json else f"is damaged ({fault})"
        raise StorageError(problem, file=path, hint=hint) from error


def _read_bytes(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise StorageError("is missing", file=path, hint=hint) from error
    except IsADirectoryError as error:
        raise StorageError("is a folder instead of a file", file=path, hint=hint) from error
    except OSError as error:
        raise StorageError(
            f"can't be read ({error.strerror or error})",
            file=path,
            hint="Make the file readable, then run the same command again",
        ) from error


def _first_fault(error: ValidationError) -> str:
    """The first of a ValidationError's faults, with its place in the file."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    more = f", and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return f"`{place}`: {message}{more}" if place else f"{message}{more}"
