"""Reads the fields of profile items and questions as text."""

import math
from collections.abc import Mapping
from typing import Any


def is_missing(value: object) -> bool:
    """Whether a JSON value stands for no value: null, or the NaN that pandas writes for one."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def read_field(raw: Mapping[str, Any], name: str, *, numbers: bool = False) -> str:
    """The field `name` as text; with `numbers`, a finite number is accepted and converted.

    A number without a fraction is written as an integer (17.0 as "17"): a column of ids becomes one
    of floats as soon as one is missing.

    Raises:
        KeyError: the field is missing or null.
        TypeError: it has another type, or contains a lone surrogate.
    """
    value = raw.get(name)
    if value is None:
        raise KeyError(name)
    if isinstance(value, str):
        if not (value.isascii() or is_encodable(value)):
            raise TypeError(f"field {name!r} contains half a character (a lone surrogate)")
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"field {name!r} is {value} (a missing number?), not text")
    if numbers and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if numbers and isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    raise TypeError(f"field {name!r} is {type(value).__name__}, not text")


class TextFields(dict[str, Any]):
    """A profile item that a template can format; every field it looks up must be text."""

    def __getitem__(self, name: str) -> str:
        return read_field(self, name)


def is_encodable(text: str) -> bool:
    """False for lone surrogates, which JSON can spell (`\\ud83d`) but UTF-8 files can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
