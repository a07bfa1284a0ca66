"""What a report reads of a suite's finished cells: each file once, and only what is asked for."""

from collections.abc import Mapping
from functools import cached_property

from bench import store
from bench.data import Data, open_sources
from bench.grid import Cell, Grid
from bench.records import CellRecord
from bench.settings import Settings
from bench.slices.stored import StoredRow, read_rows
from bench.tables.model import RowCost, RowKey
from bench.tables.stored import average_costs, read_cost


class Finished:
    """The finished cells of a grid. Reading raises StorageError where a file is damaged."""

    def __init__(self, settings: Settings, grid: Grid) -> None:
        self.settings, self.grid = settings, grid

    @cached_property
    def cells(self) -> tuple[tuple[Cell, CellRecord], ...]:
        """Every finished cell with its record."""
        return tuple(
            (cell, store.read_record(cell.folder))
            for cell in self.grid.cells
            if store.is_done(cell.folder)
        )

    @cached_property
    def rows(self) -> dict[str, dict[RowKey, StoredRow]]:
        """Place → row → its scores and predictions."""
        return read_rows(self.settings, self.grid)

    @cached_property
    def datas(self) -> dict[str, Data]:
        """The suite's data sources, whose datasets are read at first use."""
        _, suite = self.settings.suite(self.grid.suite)
        return open_sources(self.settings, suite)

    def costs(self) -> Mapping[tuple[RowKey, str], RowCost]:
        """(row, task) → its cost, the mean over seeds."""
        found: dict[tuple[RowKey, str], list[RowCost]] = {}
        for cell, record in self.cells:
            found.setdefault((RowKey.of(cell), cell.place), []).append(read_cost(record))
        return {key: cost for key, of_key in found.items() if (cost := average_costs(of_key))}
