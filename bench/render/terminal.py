"""Sheets in a terminal: as wide as it is, in parts where it is too narrow, no value left out."""

import io
from collections.abc import Sequence
from dataclasses import replace
from textwrap import fill

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segments
from rich.table import Table as RichTable
from rich.text import Text

from bench.output import NO_LIMIT, STAND_INS, make_encodable
from bench.render.sheets import ABSENT, Field, Sheet, make_sheets
from bench.tables.marks import BOLD
from bench.tables.model import Table

GAP = 3
"""Blanks between two columns."""
NARROWEST_LABEL = 16
"""Characters below which a label isn't broken further."""


def print_table(table: Table, console: Console, *, intervals: bool = False) -> None:
    """Print every sheet of a table, then its notes."""
    print_sheets(make_sheets(table, intervals=intervals), table.notes, console)


def print_sheets(sheets: Sequence[Sheet], notes: Sequence[str], console: Console) -> None:
    """Print sheets one below the other, then the notes."""
    for sheet in sheets:
        print_sheet(sheet, console)
        console.print()
    for note in _select_notes(notes, console):
        text = fill(
            make_encodable(note, console.encoding),
            width=console.width,
            initial_indent="- ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        console.print(Text(text), style="dim", soft_wrap=True)


def _select_notes(notes: Sequence[str], console: Console) -> list[str]:
    """Without the note on bold where the output has none, as in a pipe or a log."""
    return [note for note in notes if console.is_terminal or not note.startswith(BOLD)]


def to_text(table: Table, *, intervals: bool = False) -> str:
    """What `print_table` prints where the width has no limit and there are no colours."""
    return sheets_to_text(make_sheets(table, intervals=intervals), table.notes)


def sheets_to_text(sheets: Sequence[Sheet], notes: Sequence[str]) -> str:
    """What `print_sheets` prints where the width has no limit and there are no colours."""
    out = io.StringIO()
    console = Console(file=out, width=NO_LIMIT, force_terminal=False, no_color=True)
    print_sheets(sheets, notes, console)
    return out.getvalue()


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print a sheet in as many parts as the width asks for, each with the labels and a heading.

    Columns of one group stay together if they fit. If even the labels and one column don't fit,
    models move below the method's name and long names are broken; values never are.
    """
    sheet = _make_encodable_sheet(sheet, console.encoding)
    widths = [_measure_column(sheet, i) for i in range(len(sheet.columns))]
    widest = max(widths, default=0)
    if len(sheet.labels) > 1 and _measure_labels(sheet) + widest > console.width:
        sheet = _stack_labels(sheet)
    room = max(NARROWEST_LABEL + GAP, console.width - widest)
    labels_width = min(_measure_labels(sheet), room)
    parts = _split(sheet, widths, console.width - labels_width)
    for number, part in enumerate(parts, start=1):
        title = sheet.title
        if len(parts) > 1:
            groups = dict.fromkeys(sheet.columns[i][0] for i in part)
            title = f"{title}, part {number} of {len(parts)}: {', '.join(groups)}"
        if number > 1:
            console.print()
        console.print(Text(title), style="bold")
        # Wider than the console if it must be: `print` alone would cut the values off.
        options = console.options.update(width=labels_width + sum(widths[i] for i in part))
        console.print(Segments(console.render(_draw(sheet, part), options)), crop=False, end="")


def _make_encodable_sheet(sheet: Sheet, encoding: str) -> Sheet:
    def adapt(text: str) -> str:
        return make_encodable(text, encoding)

    return Sheet(
        adapt(sheet.title),
        tuple(map(adapt, sheet.labels)),
        tuple((adapt(group), adapt(name)) for group, name in sheet.columns),
        tuple(
            (
                tuple(map(adapt, labels)),
                tuple(replace(field, text=adapt(field.text)) for field in fields),
            )
            for labels, fields in sheet.rows
        ),
    )


def _stack_labels(sheet: Sheet) -> Sheet:
    """All labels of a row in one column: the method, below it its models."""

    def stack(labels: tuple[str, ...]) -> tuple[str, ...]:
        models = [label for label in labels[1:] if label not in {ABSENT, STAND_INS[ABSENT]}]
        return ("\n  ".join([labels[0], *([", ".join(models)] if models else [])]),)

    return replace(
        sheet,
        labels=stack(sheet.labels),
        rows=tuple((stack(labels), fields) for labels, fields in sheet.rows),
    )


def _measure_labels(sheet: Sheet) -> int:
    """Characters of all labels, with the gap behind each."""
    columns = zip(sheet.labels, *(labels for labels, _ in sheet.rows), strict=True)
    return sum(_measure(texts) + GAP for texts in columns)


def _measure_column(sheet: Sheet, column: int) -> int:
    """Characters of a column, with the gap behind it."""
    texts = [
        _format_header(sheet.columns[column]),
        *(fields[column].text for _, fields in sheet.rows),
    ]
    return _measure(texts) + GAP


def _measure(texts: Sequence[str]) -> int:
    return max(cell_len(line) for text in texts for line in text.split("\n"))


def _format_header(column: tuple[str, str]) -> str:
    """A column's group, metric and n, each on a line of its own."""
    return "\n".join(filter(None, column)).replace(" n=", "\nn=")


def _split(sheet: Sheet, widths: Sequence[int], room: int) -> list[list[int]]:
    """The columns in as few parts as `room` characters allow, and those about equally wide."""
    parts = _fill(sheet, widths, room)
    narrower = (_fill(sheet, widths, less) for less in range(max(widths, default=0), room))
    return next((even for even in narrower if len(even) == len(parts)), parts)


def _fill(sheet: Sheet, widths: Sequence[int], room: int) -> list[list[int]]:
    """The columns in parts of at most `room` characters, or of one column each."""
    room += GAP  # none behind the last column of a part
    parts: list[list[int]] = [[]]
    used = 0
    for group in dict.fromkeys(group for group, _ in sheet.columns):
        own = [i for i, column in enumerate(sheet.columns) if column[0] == group]
        if used and used + sum(widths[i] for i in own) > room:
            parts.append([])
            used = 0
        for column in own:
            if used and used + widths[column] > room:
                parts.append([])
                used = 0
            parts[-1].append(column)
            used += widths[column]
    return parts


def _draw(sheet: Sheet, part: Sequence[int]) -> RichTable:
    """Some columns of a sheet next to all its labels."""
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for label in sheet.labels:
        drawn.add_column(Text(label), overflow="fold")
    for column in part:
        drawn.add_column(Text(_format_header(sheet.columns[column])), justify="right", no_wrap=True)
    for labels, fields in sheet.rows:
        drawn.add_row(*map(Text, labels), *(_format_field(fields[i]) for i in part))
    return drawn


def _format_field(field: Field) -> Text:
    return Text(field.text, style=f"{'bold ' * field.bold}{field.color}".strip())
