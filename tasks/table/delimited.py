"""Tables of text divided by commas, semicolons, tabs or bars, as spreadsheets save them."""

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tasks.common.errors import DataError
from tasks.common.labels import UNSEEN
from tasks.table.cells import RawRow, to_text

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
UNNAMED = "column 1"
"""What a first column without a name is called: pandas writes its index so."""


def choose_delimiter(text: str, *, tabs: bool) -> tuple[str, str]:
    """(the text without a line that only names its delimiter, the delimiter).

    Excel writes and reads such a line: `sep=;`. Without it, the delimiter is what occurs most often
    in the first line, outside quotes; "," if none does.

    Args:
        tabs: whether the file's name promises tabs, which are then preferred.
    """
    declaration, end, rest = text.partition("\n")
    named = re.fullmatch(r'"?sep=(.)"?\s*', declaration, re.IGNORECASE)
    if named and end and named[1] in DELIMITERS:
        return rest, named[1]
    header = text.lstrip("\r\n").partition("\n")[0]
    if tabs and "\t" in header:
        return text, "\t"
    return text, max(DELIMITERS, key="".join(header.split('"')[::2]).count)


def read_delimited(
    path: Path, text: str, delimiter: str
) -> tuple[tuple[str, ...], tuple[RawRow, ...]]:
    """The columns' names and the rows below them.

    Raises DataError: no header, a name that is missing or stands twice, or no end of a quote.
    """
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
    names = tuple(cell.translate(UNSEEN).strip() for cell in cells)
    for name in names:
        if not name or names.count(name) > 1:
            raise DataError(
                f"two columns are called {name!r}" if name else "a column has no name",
                file=path,
                hint="Give every column a name of its own in the first line",
            )
    return names
