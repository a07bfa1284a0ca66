"""A folder's list of its files' SHA-256, by which damage that stays readable is seen."""

from pathlib import Path

from tasks.common.errors import StorageError
from tasks.common.files import sha256_of
from tasks.common.sealed import read_sealed, write_sealed

CHECKSUMS = ".sha256"
"""The list's file name. Hidden, and no *.json: a model's identity covers all of those."""
AGAIN = "Run the same command again: what is damaged is made again"


def write_checksums(folder: Path) -> None:
    """List all files that are in `folder` now. Raises StorageError if the list can't be written."""
    write_sealed(folder / CHECKSUMS, {"files": _digest(folder)})


def has_checksums(folder: Path) -> bool:
    """Whether the folder has a list; folders of earlier versions don't."""
    return (folder / CHECKSUMS).exists()


def check_checksums(folder: Path) -> None:
    """Raise StorageError unless the folder holds the listed files and no other, as they were."""
    listed: dict[str, str] = read_sealed(folder / CHECKSUMS, AGAIN)["files"]
    try:
        found = _digest(folder)
    except OSError as error:
        problem = f"can't be read ({error.strerror or error})"
        raise StorageError(problem, file=folder, hint=AGAIN) from error
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            raise StorageError("is missing", file=folder / name, hint=AGAIN)
        if name not in listed:
            raise StorageError("is not part of what was made", file=folder / name, hint=AGAIN)
        if found[name] != listed[name]:
            problem = "is damaged: its checksum differs"
            raise StorageError(problem, file=folder / name, hint=AGAIN)


def _digest(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    own = folder / CHECKSUMS
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths if path != own}
