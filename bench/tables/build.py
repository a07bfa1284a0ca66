"""Builds the table of a grid from what is stored."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from bench import store
from bench.grid import Grid, is_seeded
from bench.records import CellScores
from bench.settings import ScoringSettings, Settings, Suite
from bench.tables.comparing import CONTROL_SUFFIX, Comparing, correct_entries
from bench.tables.model import Column, Entry, Row, RowKey, Table
from bench.tables.notes import write_notes
from bench.tables.stored import Results, add_cell, average_costs, average_known
from bench.tables.terms import find_unequal_terms
from bench.tables.withheld import describe_withheld, find_withheld
from methods.core.controls import SEPARATOR
from tasks import Task
from tasks.common.errors import ConfigError, StorageError
from tasks.metrics import choose, create, find_rules
from tasks.scoring import Scoring

R = TypeVar("R")


def build(
    settings: Settings, grid: Grid, *, all_metrics: bool = False, allow_unequal: bool = False
) -> Table:
    """The table of a grid from what is stored; absent and failed cells are marked as such.

    Args:
        all_metrics: show every metric of each task, not only the primary one.
        allow_unequal: also show cells in which an LLM ran under different terms, and say so.

    Raises:
        ConfigError: cells of unequal terms.
        StorageError: a stored file is damaged.
    """
    _, suite = settings.suite(grid.suite)
    results = read_results(settings, grid)
    unequal = check_terms(results, allow=allow_unequal)
    columns: list[Column] = []
    of_place: dict[str, list[CellScores]] = {}
    entries: dict[RowKey, dict[Column, Entry]] = {key: {} for key in results}
    for place, task in {cell.place: cell.task for cell in grid.cells}.items():
        scored = {
            key: of_row[place]
            for key, of_row in results.items()
            if place in of_row and of_row[place].scores
        }
        shown = choose(task, settings.scoring.rules) if all_metrics else task.headline_metrics()
        of_place[place] = [scores for found in scored.values() for scores in found.scores]
        withheld = find_withheld(of_place[place])
        for metric in shown:
            if scored and metric not in withheld:
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
        tuple(
            write_notes(
                settings, grid, columns, rows, unequal, describe_withheld(grid.suite, of_place)
            )
        ),
    )


def _make_title(grid: Grid) -> str:
    done = sum(store.is_done(cell.folder) for cell in grid.cells)
    return f"{grid.suite}: {done} of {len(grid.cells)} cells"


def read_results(settings: Settings, grid: Grid) -> dict[RowKey, dict[str, Results]]:
    """Row → place (task, and data source where there are several) → results.

    Raises StorageError where a stored file is damaged.
    """
    results: dict[RowKey, dict[str, Results]] = {}
    for cell in grid.cells:
        of_row = results.setdefault(RowKey.of(cell), {})
        if cell.place not in of_row:
            seeded = is_seeded(settings, cell.method, cell.llm)
            of_row[cell.place] = Results(bound=cell.method.bound, seeded=seeded)
        add_cell(of_row[cell.place], cell)
    return results


def check_terms(
    results: Mapping[RowKey, Mapping[str, Results]], *, allow: bool = False
) -> list[str]:
    """In what terms an LLM's cells differ, in words. Raises ConfigError unless `allow`."""
    unequal = find_unequal_terms(
        {
            key: [terms for found in of_row.values() for terms in found.terms]
            for key, of_row in results.items()
        }
    )
    if unequal and not allow:
        raise ConfigError(
            f"cells ran on unequal terms, so their scores don't compare: {'; '.join(unequal)}",
            hint="Run them alike (`bench plan --cells` lists them), or ask for the table all the "
            "same: --unequal-terms",
        )
    return unequal


def _build_column(
    place: str,
    metric_name: str,
    task: type[Task],
    results: dict[RowKey, Results],
    suite: Suite,
    scoring: ScoringSettings,
) -> tuple[Column, dict[RowKey, Entry]]:
    """One metric of one task: the column, and the entry of every row in `results`."""
    comparing = prepare_column(place, metric_name, task, results, scoring)
    entries: dict[RowKey, Entry] = {}
    for key, found in results.items():
        stored = [scores.metrics[metric_name] for scores in found.scores]
        entries[key] = Entry(
            interval=comparing.estimate(key),
            to_reference=comparing.compare(key, find_row(results, suite.reference, key)),
            to_control=comparing.compare(key, find_control(results, key)),
            to_instruction_only=comparing.compare(
                key, find_row(results, suite.instruction_only, key)
            ),
            by_seed=tuple(score.value for score in stored),
            n=comparing.n,
            n_users=comparing.n_users,
            n_failed=sum(score.n_failed for score in stored),
            n_unparsed=sum(score.n_unparsed for score in stored),
            seeded=found.seeded,
            query_read=average_known([totals.query_read_mean for totals in found.totals]),
            queries_cut=sum(totals.queries_cut or 0 for totals in found.totals),
        )
    column = Column(place, metric_name, comparing.higher_is_better, comparing.n)
    competing = [
        key for key, found in results.items() if not found.bound and SEPARATOR not in key.method
    ]
    return column, comparing.mark_best(correct_entries(entries), competing)


def prepare_column(
    place: str,
    metric_name: str,
    task: type[Task],
    results: Mapping[RowKey, Results],
    scoring: ScoringSettings,
) -> Comparing:
    """The rows of one metric of one task, ready to be compared.

    Raises StorageError unless all cells were scored alike, on the same examples.
    """
    first = next(iter(results.values())).scores[0]
    rules = find_rules(task(), scoring.rules)
    for key, found in results.items():
        for scores in found.scores:
            what = f"{place}: a cell of {key.method!r}"
            _check_alike(scores, first, metric_name, rules, what)
    # Resampling LaMP's bootstrap median would be a bootstrap in a bootstrap: the mean it estimates
    # is resampled instead, and the stored value shown.
    metric = create(metric_name, task(), replace(scoring.rules, aggregator="mean"))
    return Comparing.of(results, metric_name, metric, first.users, scoring)


def _check_alike(
    scores: CellScores, first: CellScores, metric: str, rules: Scoring, what: str
) -> None:
    """Raise StorageError unless a cell was scored by the rules, and as the first one was."""
    alike = scores.ids == first.ids and scores.scoring == first.scoring
    if not alike or scores.scoring.declared() != rules or metric not in scores.metrics:
        raise StorageError(
            f"{what} was scored on other examples, with other metrics or with other [scoring] "
            "settings",
            hint="Run `bench score` so that all cells are scored alike",
        )


def find_method(results: Mapping[RowKey, R], method: str, key: RowKey) -> R | None:
    """The results of a method's row that `find_row` finds."""
    row = find_row(results, method, key)
    return None if row is None else results[row]


def find_row(results: Mapping[RowKey, R], method: str, key: RowKey) -> RowKey | None:
    """A method's row with the LLM (and the encoder, if possible) of `key`; else its only one.

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
        return chosen
    return next(iter(candidates)) if len(candidates) == 1 else None


def find_control(results: Mapping[RowKey, R], key: RowKey) -> RowKey | None:
    """The row of the same method given another user's history; None where there is none."""
    control = key._replace(method=f"{key.method}{CONTROL_SUFFIX}")
    return control if control in results else None
