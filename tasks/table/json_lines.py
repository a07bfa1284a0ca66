"""JSON Lines: one object per line."""

import json
from pathlib import Path

from tasks.common.errors import DataError
from tasks.common.json_objects import KeyTwiceError, make_object
from tasks.table.cells import RawRow, convert_row


def read_json_lines(path: Path, text: str) -> tuple[tuple[str, ...], tuple[RawRow, ...]]:
    """Every key that a row has, as first seen, and the rows; a faulty one says why.

    Raises DataError where no line holds an object.
    """
    rows: list[RawRow] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=make_object)
        except KeyTwiceError as error:
            rows.append(RawRow(number, {}, str(error)))
            continue
        except (ValueError, RecursionError) as error:
            long = "int_max_str_digits" in str(error)
            why = "holds a number of more than 4,300 digits" if long else f"is not JSON ({error})"
            rows.append(RawRow(number, {}, why))
            continue
        if not isinstance(value, dict):
            rows.append(RawRow(number, {}, f"is {type(value).__name__}, not an object"))
            continue
        columns.update(dict.fromkeys(value))
        rows.append(convert_row(number, value))
    if rows and not columns:
        what = "one JSON list" if text.lstrip().startswith("[") else "no JSON object on any line"
        raise DataError(
            f"holds {what}",
            file=path,
            hint="Write one object per line (`jq -c '.[]'` does for a list)",
        )
    return tuple(columns), tuple(rows)
