"""Reads the fields of profile items and questions as text."""

from collections.abc import Mapping
from typing import Any


def read_field(raw: Mapping[str, Any], name: str, *, numbers: bool = False) -> str:
    """The field `name` as text; with `numbers`, an integer is accepted and converted.

    Raises:
        KeyError: the field is missing or null.
        TypeError: it has another type, or contains a lone surrogate.
    """
    value = raw.get(name)
    if value is None:
        raise KeyError(name)
    if isinstance(value, str):
        if not (value.isascii() or _is_encodable(value)):
            raise TypeError(f"field {name!r} contains half a character (a lone surrogate)")
        return value
    if numbers and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"field {name!r} is {type(value).__name__}, not text")


class TextFields(dict[str, Any]):
    """A profile item that a template can format; every field it looks up must be text."""

    def __getitem__(self, name: str) -> str:
        return read_field(self, name)


def _is_encodable(text: str) -> bool:
    """False for lone surrogates, which JSON can spell (`\\ud83d`) but UTF-8 files can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
