"""What a report reads of a suite's finished cells, each file once."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench import store
from bench.grid import Cell, Grid
from bench.records import CellRecord
from bench.tables.model import RowCost, RowKey
from bench.tables.stored import average_costs, read_cost


@dataclass(frozen=True)
class Finished:
    """The finished cells of a grid, with their records."""

    cells: tuple[tuple[Cell, CellRecord], ...]

    def costs(self) -> Mapping[tuple[RowKey, str], RowCost]:
        """(row, task) → its cost, the mean over seeds."""
        found: dict[tuple[RowKey, str], list[RowCost]] = {}
        for cell, record in self.cells:
            found.setdefault((RowKey.of(cell), cell.place), []).append(read_cost(record))
        return {key: cost for key, of_key in found.items() if (cost := average_costs(of_key))}


def read_finished(grid: Grid) -> Finished:
    """Raises StorageError where a record is damaged."""
    return Finished(
        tuple(
            (cell, store.read_record(cell.folder))
            for cell in grid.cells
            if store.is_done(cell.folder)
        )
    )
