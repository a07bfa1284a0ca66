"""Sheets as GitHub tables, notes as a list."""

from collections.abc import Sequence

from bench.render.sheets import Field, Sheet, make_sheets
from bench.tables.model import Table

ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|~"})


def to_markdown(table: Table, *, intervals: bool = False) -> str:
    """The table in GitHub-flavoured markdown; names are escaped and show as they are."""
    return sheets_to_markdown(make_sheets(table, intervals=intervals), table.notes)


def sheets_to_markdown(sheets: Sequence[Sheet], notes: Sequence[str]) -> str:
    """Sheets one below the other, then the notes as a list."""
    lines: list[str] = []
    for sheet in sheets:
        headers = [*sheet.labels, *(f"{group} {name}" for group, name in sheet.columns)]
        rule = ["---"] * len(sheet.labels) + ["---:"] * len(sheet.columns)
        lines += [
            f"**{_escape(sheet.title)}**",
            "",
            _join_line([_escape(header) for header in headers]),
            _join_line(rule),
            *(
                _join_line([*map(_escape, labels), *map(_format_field, fields)])
                for labels, fields in sheet.rows
            ),
            "",
        ]
    return "\n".join([*lines, *(f"- {_escape(note)}" for note in notes), ""])


def _join_line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _format_field(field: Field) -> str:
    """Numbers and marks need no escape: a star behind bold text stays a star."""
    return f"**{field.text}**" if field.bold else field.text


def _escape(text: str) -> str:
    return " ".join(text.split("\n")).translate(ESCAPES)
