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
            _line([_escape(header) for header in headers]),
            _line(rule),
            *(
                _line([*map(_escape, labels), *map(_value, fields)])
                for labels, fields in sheet.rows
            ),
            "",
        ]
    return "\n".join([*lines, *(f"- {_escape(note)}" for note in table.notes), ""])


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _value(field: Field) -> str:
    """Numbers and marks need no escape: a star behind bold text stays a star."""
    return f"**{field.text}**" if field.bold else field.text


def _escape(text: str) -> str:
    return " ".join(text.split("\n")).translate(ESCAPES)
