"""Builds the table of a grid from what is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TypeVar

from bench import store
from bench.grid import Grid
from bench.records import CellScores
from bench.rows import CONTROL
from bench.settings import ScoringSettings, Settings, Suite
from bench.statistics import Interval, difference, interval
from bench.tables.model import Column, Entry, Row, RowKey, Table
from bench.tables.notes import write_notes
from bench.tables.stored import Results, add_cell, average_costs, average_known
from methods.core.controls import SEPARATOR
from tasks import Task
from tasks.common.errors import StorageError
from tasks.metrics import create
from tasks.scoring import Scoring

CONTROL_SUFFIX = f"{SEPARATOR}{CONTROL}"
R = TypeVar("R")


def build(settings: Settings, grid: Grid, *, all_metrics: bool = False) -> Table:
    """The table of a grid from what is stored; absent and failed cells are marked as such.

    Args:
        all_metrics: show every metric of each task, not only the primary one.

    Raises StorageError where a stored file is damaged.
    """
    _, suite = settings.suite(grid.suite)
    results = _read(grid)
    columns: list[Column] = []
    entries: dict[RowKey, dict[Column, Entry]] = {key: {} for key in results}
    for place, task in {cell.place: cell.task for cell in grid.cells}.items():
        scored = {
            key: of_row[place]
            for key, of_row in results.items()
            if place in of_row and of_row[place].scores
        }
        for metric in task.metrics if all_metrics else task.metrics[:1]:
            if scored:
                column, of_column = _build_column(
                    place, metric, task, scored, suite, settings.scoring
                )
                columns.append(column)
                for key, entry in of_column.items():
                    entries[key][column] = entry
    rows = [
        Row(
            key.method,
            key.llm,
            key.encoder,
            entries[key],
            {task: found.state for task, found in of_row.items() if found.state},
            None
            if SEPARATOR in key.method
            else average_costs([cost for found in of_row.values() for cost in found.costs]),
            key.budget,
        )
        for key, of_row in results.items()
    ]
    has_instruction_only = any(row.method == suite.instruction_only for row in rows)
    return Table(
        _make_title(grid),
        suite.reference,
        suite.instruction_only if has_instruction_only else None,
        tuple(columns),
        tuple(rows),
        tuple(write_notes(settings, grid, columns, rows)),
    )


def _make_title(grid: Grid) -> str:
    done = sum(store.is_done(cell.folder) for cell in grid.cells)
    return f"{grid.suite}: {done} of {len(grid.cells)} cells"


def _read(grid: Grid) -> dict[RowKey, dict[str, Results]]:
    """Row → place (task, and data source where there are several) → results."""
    results: dict[RowKey, dict[str, Results]] = {}
    for cell in grid.cells:
        of_row = results.setdefault(RowKey.of(cell), {})
        add_cell(of_row.setdefault(cell.place, Results(bound=cell.method.bound)), cell)
    return results


def _build_column(
    place: str,
    metric_name: str,
    task: type[Task],
    results: dict[RowKey, Results],
    suite: Suite,
    scoring: ScoringSettings,
) -> tuple[Column, dict[RowKey, Entry]]:
    """One metric of one task: the column, and the entry of every row in `results`."""
    first = next(iter(results.values())).scores[0]
    users, ids = first.users, first.ids
    for key, found in results.items():
        for scores in found.scores:
            _check_alike(scores, ids, metric_name, scoring, f"{place}: a cell of {key.method!r}")
    # Resampling LaMP's bootstrap median would be a bootstrap in a bootstrap: the mean it estimates
    # is resampled instead, and the stored value shown.
    metric = create(metric_name, task(), Scoring(unparsed=scoring.unparsed))
    confidence, resamples = scoring.confidence, scoring.resamples

    def compare(ours: Results, theirs: Results | None) -> Interval | None:
        if theirs is None or theirs is ours:
            return None
        return difference(
            ours.arrays(metric_name),
            theirs.arrays(metric_name),
            users,
            metric.reduce,
            confidence=confidence,
            resamples=resamples,
        )

    entries: dict[RowKey, Entry] = {}
    for key, found in results.items():
        stored = [scores.metrics[metric_name] for scores in found.scores]
        resampled = interval(
            found.arrays(metric_name),
            users,
            metric.reduce,
            confidence=confidence,
            resamples=resamples,
        )
        entries[key] = Entry(
            interval=replace(resampled, value=fmean(score.value for score in stored)),
            to_reference=compare(found, find_method(results, suite.reference, key)),
            to_control=compare(
                found, results.get(key._replace(method=f"{key.method}{CONTROL_SUFFIX}"))
            ),
            to_instruction_only=compare(found, find_method(results, suite.instruction_only, key)),
            by_seed=tuple(score.value for score in stored),
            n=len(ids),
            n_failed=sum(score.n_failed for score in stored),
            n_unparsed=sum(score.n_unparsed for score in stored),
            query_read=average_known([totals.query_read_mean for totals in found.totals]),
            queries_cut=sum(totals.queries_cut or 0 for totals in found.totals),
        )
    column = Column(place, metric_name, metric.higher_is_better, len(ids))
    competing = [key for key, found in results.items() if not found.bound]
    return column, _mark_best(entries, competing, metric.higher_is_better)


def _check_alike(
    scores: CellScores,
    ids: Sequence[str],
    metric: str,
    scoring: ScoringSettings,
    what: str,
) -> None:
    """Raise StorageError unless a cell was scored with these settings, on these examples."""
    if scores.ids != ids or scores.scoring != scoring.rules or metric not in scores.metrics:
        raise StorageError(
            f"{what} was scored on other examples, with other metrics or with other [scoring] "
            "settings",
            hint="Run `bench score` so that all cells are scored alike",
        )


def find_method(results: Mapping[RowKey, R], method: str, key: RowKey) -> R | None:
    """A method's results with the LLM (and the encoder, if possible) of `key`; else its only ones.

    Prompt budgets are never mixed: a row without one, because it uses no LLM, is compared with the
    method's first budget. None where the table doesn't have the method, or has it with several
    other LLMs or with other budgets only.
    """
    candidates = {
        other: found
        for other, found in results.items()
        if other.method == method
        and (None in (other.budget, key.budget) or other.budget == key.budget)
    }
    same_llm = [other for other in candidates if other.llm in (key.llm, None)]
    if same_llm:
        chosen = next((other for other in same_llm if other.encoder == key.encoder), same_llm[0])
        return candidates[chosen]
    return next(iter(candidates.values())) if len(candidates) == 1 else None


def _mark_best(
    entries: dict[RowKey, Entry], competing: Sequence[RowKey], higher_is_better: bool
) -> dict[RowKey, Entry]:
    """The entries, with the best of the `competing` ones marked; ties at four digits share it.

    Rows compete with those of their own prompt budget and with those that have none. A row without
    a budget is the best where no row of any budget is better.
    """
    rounded = {key: round(entries[key].interval.value, 4) for key in competing}

    def is_best(key: RowKey) -> bool:
        rivals = [
            value
            for other, value in rounded.items()
            if None in (key.budget, other.budget) or other.budget == key.budget
        ]
        return rounded[key] == (max if higher_is_better else min)(rivals)

    return {
        key: replace(entry, best=key in rounded and is_best(key)) for key, entry in entries.items()
    }
