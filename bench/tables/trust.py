"""Notes on how far a table's cells can be trusted: where they come from, and odd answers."""

from collections.abc import Iterator

from bench import store
from bench.grid import Cell, Grid
from bench.records import CellRecord, Totals

NAMED = 5
"""Rows that a note names; it counts the others."""

FACTS = {
    "empty": "answers without a character",
    "at_token_limit": "answers that took every token they may take, so that most are cut",
    "queries_lost": "queries of which the LLM read no token, so that these answers answer nothing",
}
"""Count in `Totals` → what it says."""


def state_trust(grid: Grid) -> Iterator[str]:
    """The notes, from the records of the grid's finished cells.

    Raises StorageError where a record is damaged.
    """
    done = [
        (cell, store.read_record(cell.folder)) for cell in grid.cells if store.is_done(cell.folder)
    ]
    records = [record for _, record in done]
    dirty = [record for record in records if record.environment.dirty]
    if dirty:
        yield (
            f"{_count(dirty, 'was', 'were')} computed with uncommitted changes of the code, so the "
            "recorded commit doesn't describe the result"
        )
    old = [record for record in records if not record.has_checksums]
    if old:
        yield (
            f"{_count(old, 'was', 'were')} stored without checksums by an earlier version, so "
            f"damage can't be seen: `bench score {grid.suite}` compares what can be compared and "
            "adds them"
        )
    yield from _state_answers(done)


def _state_answers(done: list[tuple[Cell, CellRecord]]) -> Iterator[str]:
    """Which rows' answers are empty, cut, or answer no question."""
    for field, fact in FACTS.items():
        rows: dict[str, list[Totals]] = {}
        for cell, record in done:
            if _read(record.totals, field):
                budget = f" {cell.budget}" if cell.several_budgets else ""
                rows.setdefault(f"{cell.variant}{budget} on {cell.place}", []).append(record.totals)
        if rows:
            named = [
                f"{row} {sum(_read(one, field) for one in totals)} of {sum(t.n for t in totals)}"
                f"{_name_lost(totals) if field == 'queries_lost' else ''}"
                for row, totals in list(rows.items())[:NAMED]
            ]
            more = f"; and {len(rows) - NAMED} more rows" if len(rows) > NAMED else ""
            yield f"{fact}: {'; '.join(named)}{more}"


def _read(totals: Totals, field: str) -> int:
    """A count; 0 where the record holds none."""
    count: int | None = getattr(totals, field)
    return count or 0


def _name_lost(totals: list[Totals]) -> str:
    ids = list(dict.fromkeys(id for one in totals for id in one.lost_ids))
    return f" (ids {', '.join(ids[:NAMED])}{', …' if len(ids) > NAMED else ''})" if ids else ""


def _count(records: list[CellRecord], one: str, several: str) -> str:
    return f"{len(records)} cell {one}" if len(records) == 1 else f"{len(records)} cells {several}"
