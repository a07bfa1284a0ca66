"""Reads a table's cells as text, whatever the format; every error names the file and a fix."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from tasks.common.errors import DataError
from tasks.common.paths import require_file
from tasks.table.cells import RawRow, convert_row
from tasks.table.delimited import DELIMITERS, choose_delimiter, read_delimited
from tasks.table.json_lines import read_json_lines

FORMATS = {
    ".csv": "CSV", ".tsv": "TSV", ".jsonl": "JSONL", ".ndjson": "JSONL", ".parquet": "Parquet",
}  # fmt: skip
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
            columns, rows = read_json_lines(path, text)
            table = Table(path, columns, rows, digest, f"JSONL, {encoding}")
        else:
            text, delimiter = choose_delimiter(text, tabs=form == "TSV")
            columns, rows = read_delimited(path, text, delimiter)
            shown = f"{form} with {DELIMITERS[delimiter]}, {encoding}"
            table = Table(path, columns, rows, digest, shown)
    if not table.rows:
        raise DataError("holds no rows", file=path, hint="Export the table again")
    return table


def sha256_of_table(path: Path) -> str:
    """The `sha256` of the Table that `read_table` returns, without parsing the file."""
    return hashlib.sha256(_read_bytes(path)).hexdigest()


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
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"is not {marked or encoding} at byte {error.start} (line {line})",
            file=path,
            hint='Save it as UTF-8, or name its encoding, such as encoding = "cp1252"',
        ) from error
    except (LookupError, ValueError) as error:
        raise DataError(
            f"the encoding {encoding!r} is unknown",
            file=path,
            hint='Name one that Python knows, such as "utf-8" or "cp1252"',
        ) from error
    if "\0" in text:
        raise DataError(
            "contains null characters: it is of another encoding, or no text",
            file=path,
            hint='Save it as UTF-8, or name its encoding, such as encoding = "utf-16"',
        )
    return text, marked or encoding


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
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame = frame.rename(columns=str)
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    rows = (convert_row(number, record) for number, record in enumerate(records, 1))
    return tuple(frame.columns), tuple(rows)
