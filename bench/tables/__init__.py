"""Stored cells → one table model, which every output format is rendered from."""

from bench.tables.build import build
from bench.tables.frame import to_frame
from bench.tables.model import Column, Entry, Row, RowCost, Table

__all__ = ["Column", "Entry", "Row", "RowCost", "Table", "build", "to_frame"]
