"""The table model as terminal, markdown, LaTeX (booktabs) and CSV text."""

from bench.render.latex import sheets_to_latex, to_latex
from bench.render.long_csv import to_csv
from bench.render.markdown import sheets_to_markdown, to_markdown
from bench.render.sheets import Field, Sheet, make_sheets
from bench.render.terminal import print_sheet, print_sheets, print_table, sheets_to_text, to_text

__all__ = [
    "Field",
    "Sheet",
    "make_sheets",
    "print_sheet",
    "print_sheets",
    "print_table",
    "sheets_to_latex",
    "sheets_to_markdown",
    "sheets_to_text",
    "to_csv",
    "to_latex",
    "to_markdown",
    "to_text",
]
