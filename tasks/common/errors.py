"""Errors that the user can fix: shown as a message, never as a traceback."""

from pathlib import Path

LONGEST_ID = 100
"""Characters of an id that a message shows."""


class BenchError(Exception):
    """A problem with the user's input or environment.

    The CLI prints it and exits with status 2; a cell records it.

    Args:
        what: what is wrong, as a phrase without a full stop.
        hint: how to fix it, as an imperative without a full stop, or as a question.
        file: the file concerned, if any.
        id: the example concerned, if any.
    """

    def __init__(
        self, what: str, *, hint: str, file: Path | str | None = None, id: str | None = None
    ) -> None:
        self.what = what
        self.hint = hint
        self.file = None if file is None else str(file)
        self.id = id
        super().__init__(what, hint, self.file, id)

    def __str__(self) -> str:
        id = "" if self.id is None else f"id {_shorten(self.id)}"
        place = ", ".join(part for part in (self.file, id) if part)
        end = "" if self.hint.endswith("?") else "."
        return f"{place + ': ' if place else ''}{self.what}. {self.hint}{end}"


def _shorten(id: str) -> str:
    return repr(id) if len(id) <= LONGEST_ID else f"{id[:LONGEST_ID]!r}…"


class DataError(BenchError):
    """A data file, or an item in it, does not follow the task's format."""


class ConfigError(BenchError):
    """bench.toml, a command-line option or a name is invalid."""


class ModelError(BenchError):
    """A model folder or hub name can't be loaded, or doesn't fit its use."""


class StorageError(BenchError):
    """A file can't be written or read back."""
