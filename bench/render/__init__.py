"""The table model as terminal, markdown, LaTeX (booktabs) and CSV text."""

from bench.render.latex import to_latex
from bench.render.long_csv import to_csv
from bench.render.markdown import to_markdown
from bench.render.sheets import Field, Sheet, make_sheets
from bench.render.terminal import print_sheet, print_table, to_text

__all__ = [
    "Field",
    "Sheet",
    "make_sheets",
    "print_sheet",
    "print_table",
    "to_csv",
    "to_latex",
    "to_markdown",
    "to_text",
]
