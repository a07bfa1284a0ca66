"""Rows of a table → the series of figures: one colour and marker each, the same in every figure."""

from bench.grid import Grid
from bench.render.sheets import label_names, make_labels
from bench.report.model import Series
from bench.tables.model import Row, RowKey, Table
from methods.core.controls import SEPARATOR


def make_series(table: Table, grid: Grid) -> dict[RowKey, Series]:
    """The series of every row but controls, in table order; bounds are numbered apart."""
    bounds = {cell.variant for cell in grid.cells if cell.method.bound}
    rows = [row for row in table.rows if not is_control(row)]
    names = label_names(row.key for row in rows)
    series: dict[RowKey, Series] = {}
    for bound in (False, True):
        chosen = [row for row in rows if (row.method in bounds) == bound]
        for index, row in enumerate(chosen):
            name = " · ".join(make_labels(names, row.key))
            series[row.key] = Series(name, index, bound)
    return {row.key: series[row.key] for row in rows}


def is_control(row: Row) -> bool:
    """Whether a row is another one's control."""
    return SEPARATOR in row.method
