"""Sheets as GitHub tables, notes as a list."""

from collections.abc import Sequence

from bench.render.sheets import Field, make_sheets
from bench.tables.model import Table

ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|~"})


def to_markdown(table: Table, *, intervals: bool = False) -> str:
    """The table in GitHub-flavoured markdown; names are escaped and show as they are."""
    lines: list[str] = []
    for sheet in make_sheets(table, intervals=intervals):
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
    return "\n".join([*lines, *(f"- {_escape(note)}" for note in table.notes), ""])


def _join_line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _format_field(field: Field) -> str:
    """Numbers and marks need no escape: a star behind bold text stays a star."""
    return f"**{field.text}**" if field.bold else field.text


def _escape(text: str) -> str:
    return " ".join(text.split("\n")).translate(ESCAPES)
