"""The rows of a JSON file one after the other, without its whole text or value in memory."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 24
"""Characters read at a time."""
LONGEST_ROW = 1 << 28
"""Characters; a row that has not ended by then is taken for a fault."""
_SPACE = re.compile(r"[ \t\n\r]*")


class UnevenError(Exception):
    """The file needs the plain reader, which reads the whole value and explains every fault."""


def stream_rows(path: Path, chunk: int = CHUNK) -> Iterator[Any]:
    """The rows of a JSON list in UTF-8, each as `json.load` gives it.

    Every row is decoded by json's own scanner as soon as it is complete.

    Raises:
        UnevenError: the file is no list, or not JSON.
        UnicodeDecodeError: it is not UTF-8.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        if json.detect_encoding(file.read(4)) not in {"utf-8", "utf-8-sig"}:
            raise UnevenError
    decode = json.JSONDecoder().raw_decode
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read(chunk).removeprefix("\ufeff")
        place = _skip(text, 0) + 1
        if text[place - 1 : place] != "[":
            raise UnevenError
        while True:
            try:
                row, end = decode(text, _skip(text, place))
                end = _skip(text, end)
                mark = text[end]
            except (json.JSONDecodeError, IndexError) as error:  # the row may go on
                left = len(text) - place
                more = file.read(max(chunk, left)) if left < LONGEST_ROW else ""
                if not more:
                    raise UnevenError from error
                text, place = text[place:] + more, 0
                continue
            yield row
            place = end + 1
            if mark != ",":
                break
        rest = text[place:] + file.read(chunk)
        if mark != "]" or _skip(rest, 0) < len(rest):
            raise UnevenError


def _skip(text: str, place: int) -> int:
    """The first place from `place` on that holds no white space."""
    found = _SPACE.match(text, place)
    return place if found is None else found.end()
