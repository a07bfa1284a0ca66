"""A cell's files as they are read back: typed, and compared with the checksums stored for them."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from tasks import Prediction
from tasks.common.errors import StorageError
from tasks.common.files import sha256_of
from tasks.common.sealed import unseal

R = TypeVar("R", bound=BaseModel)
JUDGED = "judged"
"""The folder of a cell that holds what judges said of its answers (`bench.judging`)."""
_PREDICTION = TypeAdapter(Prediction)


def read_model(path: Path, model: type[R], what: str, hint: str) -> tuple[R, bool]:
    """The object in a JSON file, and whether the file holds its checksum (older ones don't).

    Raises StorageError, with this hint, where the file is missing, damaged or of another shape.
    """
    data, sound = unseal(read_bytes(path, hint))
    if sound is False:
        raise StorageError("is damaged: its checksum differs", file=path, hint=hint)
    try:
        found = model.model_validate_json(data)
    except AttributeError as error:  # pydantic's, of an unknown key in a frozen dataclass
        raise StorageError(f"is not {what} ({error})", file=path, hint=hint) from error
    except ValidationError as error:
        fault = _first_fault(error)
        is_json = error.errors(include_url=False)[0]["type"] != "json_invalid"
        problem = f"is not {what} ({fault})" if is_json else f"is damaged ({fault})"
        raise StorageError(problem, file=path, hint=hint) from error
    return found, sound is True


def parse_predictions(data: bytes, path: Path, hint: str) -> list[Prediction]:
    """One prediction per line. Raises StorageError, naming the line, where one is damaged."""
    found: list[Prediction] = []
    for line in data.splitlines():
        try:
            found.append(_PREDICTION.validate_json(line, strict=True))
        except ValidationError as error:
            raise StorageError(
                f"line {len(found) + 1} is damaged ({_first_fault(error)})", file=path, hint=hint
            ) from error
    return found


def read_bytes(path: Path, hint: str) -> bytes:
    """A file's content. Raises StorageError, with this hint, where it is missing or a folder."""
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


def digest_files(folder: Path, leave_out: frozenset[str]) -> dict[str, str]:
    """Path within `folder` → SHA-256 of every file below it, without those at the top so named.

    Without what judges said, too: that is added later, and each line has a checksum of its own.
    """
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != JUDGED
    }
    return {name: sha256_of(path) for name, path in found.items() if name not in leave_out}


def require_digest(path: Path, stored: str, hint: str) -> None:
    """Raise StorageError, with this hint, unless the file has this SHA-256."""
    try:
        found = sha256_of(path)
    except OSError:
        read_bytes(path, hint)  # says why
        raise
    if found != stored:
        raise StorageError("is damaged: its checksum differs", file=path, hint=hint)


def _first_fault(error: ValidationError) -> str:
    """The first of a ValidationError's faults, with its place in the file."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    more = f", and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return f"`{place}`: {message}{more}" if place else f"{message}{more}"
