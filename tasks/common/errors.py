"""Errors that are the user's to hint: shown as text, never as a traceback."""

from pathlib import Path


class BenchError(Exception):
    """A mistake in the user's input or surroundings.

    Says what is wrong, where (file and id, if any) and how to hint it. The CLI prints it and exits
    with status 2; a cell records it.
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
        place = ", ".join(
            part for part in (self.file, None if self.id is None else f"id {self.id!r}") if part
        )
        return f"{place + ': ' if place else ''}{self.what}. {self.hint}."


class DataError(BenchError):
    """A data file, or an item in it, is not what the task's format says."""


class ConfigError(BenchError):
    """bench.toml, a command-line option or a name is wrong."""


class ModelError(BenchError):
    """A model folder or hub name can't be loaded or doesn't fit."""


class StorageError(BenchError):
    """A result can't be written or read back."""
