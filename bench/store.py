"""Where results are kept: one folder per cell, complete or absent, named by the cell's key.

<runs>/<suite>/<task>/<method>/<seed>-<key>/
    cell.json           a CellRecord: what was run, on what, what it cost, and the others' checksums
    predictions.jsonl   one Prediction per line, in the order of the examples
    scores.json         CellScores; `bench score` rewrites it
    weights.jsonl       what a method that weighs histories gave their items, see bench.weights
    submission.json     instead of scores, where the set has no golds: the leaderboard's format
    model/              what the method learned, if anything
    judged/             what judges said of the answers (`bench judge`), see bench.judging.judge
…/<seed>-<key>.error.txt   instead of the folder, where the cell failed; never read as a result

cell.json and scores.json end in a checksum of their own. Whatever is read is compared with its
checksum first; `model/`, which no command reads, is compared by `bench verify`.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from bench.records import SCHEMA, CellRecord, CellScores
from bench.stored_files import (
    digest_files,
    parse_predictions,
    read_bytes,
    read_model,
    require_digest,
)
from tasks import Prediction
from tasks.common.errors import StorageError
from tasks.common.files import content_key, sha256_of, write_text
from tasks.common.parts import atomic_folder
from tasks.common.sealed import unseal, write_sealed

RECORD, PREDICTIONS, SCORES, SUBMISSION, MODEL = (
    "cell.json",
    "predictions.jsonl",
    "scores.json",
    "submission.json",
    "model",
)
ERROR_SUFFIX = ".error.txt"
RUN_AGAIN = (
    "Remove that folder and run the same command again (`bench remove SUITE --damaged` removes "
    "all damaged cells)"
)
SCORE_AGAIN = "Run `bench score` to compute it from the stored predictions"
SEALED = frozenset({RECORD, SCORES})
"""The files that hold a checksum of their own."""


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

    A result that another process has stored there meanwhile stays, and this one is discarded.
    Whatever happens, nothing else is left behind; what a killed process left is removed first.
    Only for the process that holds the cell's lock.

    Raises StorageError where the disk is full or the folder can't be written.
    """
    try:
        with atomic_folder(folder) as temporary:
            yield temporary
            if folder.exists() and not is_done(folder):
                shutil.rmtree(folder)
        error_file(folder).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error


def error_file(folder: Path) -> Path:
    """Where a failed cell's error is written."""
    return folder.with_name(f"{folder.name}{ERROR_SUFFIX}")


def write_error(folder: Path, text: str) -> None:
    """Record why a cell failed; a later success removes it."""
    write_text(error_file(folder), text)


def write_record(folder: Path, record: CellRecord) -> None:
    """Write cell.json, with the checksums of the files that are in `folder` now."""
    files = digest_files(folder, leave_out=SEALED)
    record = record.model_copy(update={"files": files, "schema_version": SCHEMA})
    write_sealed(folder / RECORD, record.model_dump(mode="json"))


def read_record(folder: Path) -> CellRecord:
    """A cell's record.

    Raises StorageError where cell.json is missing, damaged, of a later version or another cell's.
    """
    path = folder / RECORD
    record, sealed = read_model(path, CellRecord, "a cell's record", RUN_AGAIN)
    if record.schema_version > SCHEMA:
        raise StorageError(
            f"was written by a later version of pplug-bench (schema {record.schema_version}; this "
            f"one reads up to {SCHEMA})",
            file=path,
            hint="Update pplug-bench, or set store.runs to another folder",
        )
    if record.has_checksums and not sealed:
        raise StorageError("is damaged: it has lost its checksum", file=path, hint=RUN_AGAIN)
    if sealed and content_key(record.identity, length=12) != record.key:
        raise StorageError("is damaged: its key is another's", file=path, hint=RUN_AGAIN)
    if sealed and not folder.name.endswith(f"-{record.key}"):
        raise StorageError(
            f"is the record of another cell ({record.seed}-{record.key})", file=path, hint=RUN_AGAIN
        )
    return record


def check_answers(folder: Path, record: CellRecord) -> None:
    """Raise StorageError where the stored answers are not those that the record vouches for.

    Records of versions without checksums vouch for nothing.
    """
    for name in (PREDICTIONS, SUBMISSION):
        if name in record.files:
            require_digest(folder / name, record.files[name], RUN_AGAIN)


def check_files(folder: Path, record: CellRecord) -> None:
    """Raise StorageError where any file that the record vouches for is missing or damaged."""
    for name, digest in record.files.items():
        require_digest(folder / name, digest, RUN_AGAIN)


def check_cell(folder: Path) -> None:
    """Raise StorageError where a file of a finished cell is damaged that tables depend on.

    Faster than reading it: nothing is parsed but the record.
    """
    record = read_record(folder)
    check_answers(folder, record)
    if (folder / SCORES).exists() and unseal(read_bytes(folder / SCORES, SCORE_AGAIN))[1] is False:
        problem = "is damaged: its checksum differs"
        raise StorageError(problem, file=folder / SCORES, hint=SCORE_AGAIN)


def write_scores(folder: Path, scores: CellScores) -> None:
    """Write scores.json; the predictions that were scored must be in `folder`."""
    scored = {"predictions": sha256_of(folder / PREDICTIONS), "schema_version": SCHEMA}
    scores = scores.model_copy(update=scored)
    write_sealed(folder / SCORES, scores.model_dump(mode="json"))


def read_scores(folder: Path) -> CellScores | None:
    """A cell's scores; None where its set has no golds, so that it has a submission instead.

    Raises StorageError where scores.json is missing or damaged, where the predictions that it
    scores are, or where it scores others.
    """
    record = read_record(folder)
    check_answers(folder, record)
    path = folder / SCORES
    if (folder / SUBMISSION).is_file() and not path.exists():
        return None
    scores, sealed = read_model(path, CellScores, "a cell's scores", SCORE_AGAIN)
    if record.has_checksums and not sealed:
        raise StorageError("has no checksum", file=path, hint=SCORE_AGAIN)
    if sealed and scores.predictions != _digest_of_predictions(folder, record):
        raise StorageError(f"holds scores of another {PREDICTIONS}", file=path, hint=SCORE_AGAIN)
    return scores


def _digest_of_predictions(folder: Path, record: CellRecord) -> str:
    """As the record vouches for it, which `check_answers` has compared; else as it is."""
    return record.files.get(PREDICTIONS) or sha256_of(folder / PREDICTIONS)


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """One JSON line per prediction; no timings, so equal predictions are equal bytes."""
    write_text(path, _format(predictions))


def read_predictions(path: Path) -> list[Prediction]:
    """Stored predictions, compared with the checksum in the cell's record next to them.

    Raises StorageError, naming the line where possible, where the file or the record is damaged.
    """
    found = parse_predictions(read_bytes(path, RUN_AGAIN), path, RUN_AGAIN)
    if path.name == PREDICTIONS and is_done(path.parent):
        check_answers(path.parent, read_record(path.parent))
    return found


def write_chunk(path: Path, predictions: Sequence[Prediction]) -> None:
    """Part of an unfinished cell's predictions; the last line is the checksum of the others."""
    text = _format(predictions)
    write_text(path, f"{text}{hashlib.sha256(text.encode()).hexdigest()}\n")


def read_chunk(path: Path) -> list[Prediction]:
    """What `write_chunk` wrote. Raises StorageError where it is damaged or its end is missing."""
    again = "Run the same command again"
    *lines, last = read_bytes(path, again).splitlines(keepends=True) or [b""]
    body = b"".join(lines)
    found = parse_predictions(body, path, again)
    if last != f"{hashlib.sha256(body).hexdigest()}\n".encode():
        raise StorageError("is damaged: its checksum differs", file=path, hint=again)
    return found


def format_submission(task: str, predictions: Sequence[Prediction]) -> str:
    """The official leaderboard's format: {"task": …, "golds": [{id, output}]}, as JSON."""
    answers = [{"id": p.id, "output": p.text or ""} for p in predictions]
    return json.dumps({"task": task, "golds": answers}, indent=2, ensure_ascii=False) + "\n"


def _format(predictions: Sequence[Prediction]) -> str:
    lines = (json.dumps(dataclasses.asdict(p), ensure_ascii=False) + "\n" for p in predictions)
    return "".join(lines)
