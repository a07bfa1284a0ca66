"""Reads a table's cells as text, whatever the format; every error names the file and a fix."""

import csv
import hashlib
import io
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError
from tasks.common.paths import require_file

Cell = str | None
FORMATS = {
    ".csv": "CSV", ".tsv": "TSV", ".jsonl": "JSONL", ".ndjson": "JSONL", ".parquet": "Parquet",
}  # fmt: skip
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
UNNAMED = "column 1"
"""What a first column without a name is called: pandas writes its index so."""
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
}  # fmt: skip
FOREIGN = {
    b"PK\x03\x04": ("a ZIP archive or an Excel workbook", "Save the table as CSV"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "Save the table as CSV"),
    b"\x1f\x8b": ("compressed by gzip", "Unpack the file"),
    b"PAR1": ("Parquet", "Give the file the ending .parquet"),
}  # fmt: skip
"""First bytes of files of other formats: what they are, and what to do."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file.

    Attributes:
        number: as an editor or spreadsheet shows it: the first row below a header is 2.
        cells: column → text, or None where a cell is missing or empty.
        fault: why the row can't be read, or "".
        nested: column → the type of a cell that is no single value, e.g. "list".
    """

    number: int
    cells: Mapping[str, Cell]
    fault: str = ""
    nested: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """The cells of a file; `form` describes its format, `sha256` is that of its bytes."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[RawRow, ...]
    sha256: str
    form: str


def read_table(path: Path, encoding: str = "utf-8") -> Table:
    """Read a .csv, .tsv, .jsonl, .ndjson or .parquet file.

    Raises DataError: no such file, a folder, an unknown format or encoding, a damaged or empty
    file.
    """
    require_file(path, DataError, "Name the file that holds the table")
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise DataError(
            f"has the ending {path.suffix!r}" if path.suffix else "has no ending",
            file=path,
            hint="Save the table as .csv, .tsv, .jsonl or .parquet",
        )
    data = _read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if form == "Parquet":
        columns, rows = _read_parquet(path, data)
        table = Table(path, columns, rows, digest, form)
    else:
        text, encoding = _decode(path, data, encoding)
        if form == "JSONL":
            columns, rows = _read_jsonl(text)
            table = Table(path, columns, rows, digest, f"JSONL, {encoding}")
        else:
            text, delimiter = _split_declaration(text)
            if delimiter is None:
                delimiter = "\t" if _has_tabs(text, form) else find_delimiter(text)
            columns, rows = _read_csv(path, text, delimiter)
            shown = f"{form} with {DELIMITERS[delimiter]}, {encoding}"
            table = Table(path, columns, rows, digest, shown)
    if not table.rows:
        raise DataError("holds no rows", file=path, hint="Export the table again")
    return table


def sha256_of_table(path: Path) -> str:
    """The `sha256` of the Table that `read_table` returns, without parsing the file."""
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def _split_declaration(text: str) -> tuple[str, str | None]:
    """The text without the line `sep=;` that Excel reads, and the delimiter that it names."""
    first, end, rest = text.partition("\n")
    found = re.fullmatch(r"\"?sep=(.)\"?\s*", first, re.IGNORECASE)
    return (rest, found[1]) if found and end and found[1] in DELIMITERS else (text, None)


def _has_tabs(text: str, form: str) -> bool:
    """Whether a file is divided by tabs, as its ending says; some hold commas all the same."""
    return form == "TSV" and "\t" in text.lstrip("\r\n").partition("\n")[0]


def find_delimiter(text: str) -> str:
    """The delimiter that occurs most often in the first line, outside quotes; "," if none does."""
    header = text.lstrip("\r\n").partition("\n")[0]
    return max(DELIMITERS, key="".join(header.split('"')[::2]).count)


def to_text(value: Any) -> Cell:
    """A cell's value as text; None where there is none. Raises TypeError for lists and objects."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _read_bytes(path: Path) -> bytes:
    require_file(path, DataError, "Name the file that holds the table")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            "there is no such file",
            file=path,
            hint="Correct the path; in bench.toml, it starts at that file's folder",
        ) from error
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})", file=path, hint="Make the file readable"
        ) from error


def _decode(path: Path, data: bytes, encoding: str) -> tuple[str, str]:
    """The text without byte order mark, and the encoding that it was read in."""
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    for magic, (what, hint) in FOREIGN.items():
        if data.startswith(magic):
            raise DataError(f"is {what}, not text", file=path, hint=hint)
    try:
        text = data.decode(marked or encoding)
    except LookupError as error:
        raise DataError(
            f"the encoding {encoding!r} is unknown",
            file=path,
            hint='Name one that Python knows, such as "utf-8" or "cp1252"',
        ) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"is not {marked or encoding} at byte {error.start} (line {line})",
            file=path,
            hint='Save it as UTF-8, or name its encoding, such as encoding = "cp1252"',
        ) from error
    if "\0" in text:
        raise DataError(
            "contains null characters: it is of another encoding, or no text",
            file=path,
            hint='Save it as UTF-8, or name its encoding, such as encoding = "utf-16"',
        )
    return text, marked or encoding


def _read_csv(path: Path, text: str, delimiter: str) -> tuple[tuple[str, ...], tuple[RawRow, ...]]:
    csv.field_size_limit(sys.maxsize)  # a cell may be of any length
    start = 1
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    try:
        header = next((line for line in lines if line), None)
        if header is None:
            raise DataError("is empty", file=path, hint="Export the table again, with a header")
        first, start = lines.line_num + 1, lines.line_num + 1
        rows = []
        for row in lines:
            rows.append(row)
            start = lines.line_num + 1
        unnamed = len(header) - len(_trim(header))
        if unnamed and all(len(_trim(row)) <= len(header) - unnamed for row in rows):
            header = _trim(header)
        if len(header) > 1 and not header[0].strip():
            header[0] = UNNAMED
        names = _check_header(path, header)
        return names, tuple(_pair_cells(names, rows, first))
    except csv.Error as error:
        raise DataError(
            f"can't be read as a table: {error} in the row that begins at line {start}",
            file=path,
            hint="Quote cells that hold a delimiter, a quote or a line break, and double each "
            "quote in them",
        ) from error


def _trim(cells: Sequence[str]) -> list[str]:
    """The cells without empty ones at their end."""
    kept = len(cells)
    while kept and not cells[kept - 1].strip():
        kept -= 1
    return list(cells[:kept])


def _pair_cells(names: tuple[str, ...], rows: Iterable[list[str]], first: int) -> Iterator[RawRow]:
    """Rows with their cells by name; rows without any text are skipped, but counted."""
    for number, row in enumerate(rows, first):
        line = row if len(row) <= len(names) else [*row[: len(names)], *_trim(row[len(names) :])]
        if not _trim(line):
            continue
        cells = dict(zip(names, map(to_text, line), strict=False))
        few_or_many = "fewer" if len(line) < len(names) else "more"
        fault = f"has {few_or_many} cells ({len(line)}) than the header ({len(names)})"
        yield RawRow(number, cells, fault if len(line) != len(names) else "")


def _check_header(path: Path, cells: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    for name in names:
        if not name or names.count(name) > 1:
            raise DataError(
                f"two columns are called {name!r}" if name else "a column has no name",
                file=path,
                hint="Give every column a name of its own in the first line",
            )
    return names


def _read_jsonl(text: str) -> tuple[tuple[str, ...], tuple[RawRow, ...]]:
    rows: list[RawRow] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            rows.append(RawRow(number, {}, f"is not JSON ({error})"))
            continue
        if not isinstance(value, dict):
            rows.append(RawRow(number, {}, f"is {type(value).__name__}, not an object"))
            continue
        columns.update(dict.fromkeys(value))
        rows.append(_convert(number, value))
    return tuple(columns), tuple(rows)


def _read_parquet(path: Path, data: bytes) -> tuple[tuple[str, ...], tuple[RawRow, ...]]:
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(data), dtype_backend="pyarrow")
    except ImportError as error:
        raise DataError(
            "can't be read without pyarrow", file=path, hint="Run `pip install pyarrow`"
        ) from error
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise DataError(
            f"can't be read as Parquet ({error})", file=path, hint="Export the table again"
        ) from error
    frame = frame.rename(columns=str)
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    rows = (_convert(number, record) for number, record in enumerate(records, 1))
    return tuple(frame.columns), tuple(rows)


def _convert(number: int, values: Mapping[Any, Any]) -> RawRow:
    """A row of typed values as text."""
    cells: dict[str, Cell] = {}
    nested: dict[str, str] = {}
    for name, value in values.items():
        try:
            cells[name] = to_text(value)
        except TypeError as error:
            cells[name], nested[name] = None, str(error)
    return RawRow(number, cells, nested=nested)
