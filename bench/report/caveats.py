"""What to know before quoting a report: what is missing, failed, cut or without proof."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bench import store
from bench.grid import Grid
from bench.report.columns import primary
from bench.report.model import Series
from bench.report.stored import Finished
from bench.report.verdicts import judge
from bench.tables.model import RowKey, Table


def list_caveats(
    grid: Grid, table: Table, series: Mapping[RowKey, Series], finished: Finished
) -> list[str]:
    """One sentence each, the gravest first; none where all is well."""
    return [
        *_name_unfinished(grid),
        *_name_unproven(table, series),
        *_count_bad_answers(table, series),
        *_name_cut_queries(table, series),
        *_name_environments(finished),
    ]


def _name_unfinished(grid: Grid) -> Iterator[str]:
    left = [cell for cell in grid.cells if not store.is_done(cell.folder)]
    failed = [cell for cell in left if store.error_file(cell.folder).is_file()]
    if left:
        yield (
            f"{len(left)} of {len(grid.cells)} cells are not done"
            f"{f' ({len(failed)} failed)' if failed else ''}, such as {left[0].title}."
        )


def _name_unproven(table: Table, series: Mapping[RowKey, Series]) -> Iterator[str]:
    """Rows of which the tests claim nothing, whatever their difference, by the reason."""
    reasons: dict[str, dict[str, None]] = {}
    for row in table.rows:
        for column in primary(table):
            entry = row.entries.get(column)
            gain = None if entry is None else judge(entry.to_reference)
            judged = row.key in series and not series[row.key].bound
            if gain is not None and gain.reason and judged:
                reasons.setdefault(gain.reason, {})[series[row.key].name] = None
    for reason, names in reasons.items():
        yield f"Nothing is claimed of {_list(list(names))}: {reason}."


def _count_bad_answers(table: Table, series: Mapping[RowKey, Series]) -> Iterator[str]:
    for field, what in (("n_failed", "missing"), ("n_unparsed", "unreadable")):
        counts: Counter[str] = Counter()
        for row in table.rows:
            if row.key in series:
                counts[series[row.key].name] += sum(
                    getattr(row.entries[column], field)
                    for column in primary(table)
                    if column in row.entries
                )
        found = [f"{name} ({count})" for name, count in counts.items() if count]
        if found:
            yield f"Answers are {what}, and count as wrong: {_list(found)}."


def _name_cut_queries(table: Table, series: Mapping[RowKey, Series]) -> Iterator[str]:
    cut = [
        series[row.key].name
        for row in table.rows
        if row.key in series and any(entry.queries_cut for entry in row.entries.values())
    ]
    if cut:
        yield f"The prompt budget cut the end of queries for {_list(cut)}: see the notes."


def _name_environments(finished: Finished) -> Iterator[str]:
    records = [record for _, record in finished.cells]
    if any(record.environment.dirty for record in records):
        count = sum(record.environment.dirty for record in records)
        yield f"{count} of {len(records)} cells ran from a checkout with uncommitted changes."
    commits = {record.environment.commit for record in records}
    if len(commits) > 1:
        yield f"Cells ran on {len(commits)} different commits."


def _list(names: Sequence[str], most: int = 6) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} others"
