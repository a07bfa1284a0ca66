"""Which columns of a table a report is about."""

from bench.tables.model import Column, Table


def primary(table: Table) -> list[Column]:
    """The first column of every task."""
    return list({column.task: column for column in reversed(table.columns)}.values())[::-1]
