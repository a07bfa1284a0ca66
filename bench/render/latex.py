"""Sheets as LaTeX tables with booktabs rules."""

from collections.abc import Iterator, Sequence

from bench.render.sheets import Field, Sheet, make_sheets
from bench.tables.model import Table

ESCAPES = str.maketrans(
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {"Δ": r"$\Delta$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\rightarrow$"}
    | {"–": "--", "−": "$-$", "×": r"$\times$", "±": r"$\pm$", "·": r"$\cdot$"}
    | {character: f"\\{character}" for character in "&%$#_{}"}
)


def to_latex(table: Table, *, intervals: bool = False) -> str:
    """One tabular per sheet, groups above their columns; needs \\usepackage{booktabs}."""
    return sheets_to_latex(make_sheets(table, intervals=intervals), table.notes)


def sheets_to_latex(sheets: Sequence[Sheet], notes: Sequence[str]) -> str:
    """One tabular per sheet, below the notes as comments."""
    lines = [_format_comment(note) for note in notes]
    for sheet in sheets:
        lines += [*_draw_tabular(sheet), ""]
    return "\n".join(lines)


def _draw_tabular(sheet: Sheet) -> Iterator[str]:
    left = len(sheet.labels)
    groups = [group for group, _ in sheet.columns]
    spans, rules = [""] * left, ""
    start = left + 1
    for group in dict.fromkeys(groups):
        width = groups.count(group)
        spans.append(f"\\multicolumn{{{width}}}{{c}}{{{_escape(group)}}}")
        rules += f"\\cmidrule(lr){{{start}-{start + width - 1}}}"
        start += width
    yield _format_comment(sheet.title)
    yield f"\\begin{{tabular}}{{{'l' * left}{'r' * len(groups)}}}"
    yield "\\toprule"
    yield _join_line(spans)
    yield rules
    yield _join_line(
        [_escape(header) for header in (*sheet.labels, *(n for _, n in sheet.columns))]
    )
    yield "\\midrule"
    for labels, fields in sheet.rows:
        yield _join_line([*map(_escape, labels), *map(_format_field, fields)])
    yield "\\bottomrule"
    yield "\\end{tabular}"


def _join_line(texts: list[str]) -> str:
    return f"{' & '.join(texts)} \\\\"


def _format_comment(text: str) -> str:
    return f"% {' '.join(text.splitlines())}"


def _format_field(field: Field) -> str:
    text = _escape(field.text)
    return f"\\textbf{{{text}}}" if field.bold else text


def _escape(text: str) -> str:
    return text.translate(ESCAPES)
