"""Builds a sliced table from stored results and the data that they were computed on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data import Data, open_sources
from bench.grid import Grid
from bench.settings import Settings, Suite
from bench.slices.curve import NO_K, K, find_curves
from bench.slices.dimensions import DIMENSIONS, Division
from bench.slices.model import Part, SliceScore, SliceTable
from bench.slices.notes import write_curve_notes, write_slice_notes
from bench.slices.scoring import PartScorer, correct_scores, make_part
from bench.slices.stored import Rows, StoredRow, check_row_terms, read_rows
from bench.tables.build import find_method
from bench.tables.model import RowKey
from bench.tables.withheld import describe_withheld, find_withheld
from tasks import Dataset
from tasks.common.errors import ConfigError, StorageError
from tasks.common.registry import did_you_mean
from tasks.metrics import choose

CORPUS_METRICS = ("f1",)
"""Not shown for parts: macro-F1 counts every label that a part lacks as 0."""


@dataclass(frozen=True)
class _Point:
    """One row on one part, before it is scored.

    Attributes:
        shown: the row as the table names it.
        stored: the row whose results these are.
        members: [m] indices of the part's examples among the scored ones.
    """

    shown: RowKey
    stored: RowKey
    part: Part
    members: NDArray[np.intp]


def build(
    settings: Settings,
    grid: Grid,
    by: str,
    *,
    all_metrics: bool = False,
    allow_unequal: bool = False,
    datas: Mapping[str, Data] | None = None,
    everything: Mapping[str, Rows] | None = None,
) -> SliceTable:
    """A suite's stored results by the parts of a dimension.

    Args:
        by: a key of `DIMENSIONS`, or "k" for learning curves.
        all_metrics: every metric of each task that parts can have, not only the primary one.
        allow_unequal: also show cells in which an LLM ran under different terms, and say so.
        datas: the suite's data sources, if they are open already.
        everything: what `read_rows` gives, if it is read already.

    Raises:
        ConfigError: no such dimension, nothing is stored yet, no task can be divided so, (by k) no
            method has several k, or cells ran on unequal terms.
        DataError: the data isn't there or is faulty.
        StorageError: a stored file is damaged, or its examples are not in the data.
    """
    if by not in (*DIMENSIONS, K):
        known = [*DIMENSIONS, K]
        raise ConfigError(f"can't slice by {by!r}", hint=did_you_mean(by, known))
    everything = read_rows(settings, grid) if everything is None else everything
    unequal = check_row_terms(everything, allow=allow_unequal)
    stored = {
        place: scored
        for place, rows in everything.items()
        if (scored := {key: row for key, row in rows.items() if row.scores})
    }
    if not stored:
        raise ConfigError(
            f"no cell of suite {grid.suite!r} has scores",
            hint=f"Run `bench run {grid.suite}` first",
        )
    place_points, notes = (
        _place_curves(settings, grid, stored)
        if by == K
        else _divide(settings, grid, by, stored, datas)
    )
    _, suite = settings.suite(grid.suite)
    scores = tuple(
        score
        for place, points in place_points.items()
        for score in _score(settings, suite, stored[place], points, all_metrics)
    )
    parts = {point.part: None for points in place_points.values() for point in points}
    return SliceTable(
        grid.suite,
        by,
        suite.reference,
        tuple(parts),
        scores,
        (
            *notes,
            *describe_withheld(
                grid.suite,
                {
                    place: [s for row in rows.values() for s in row.scores]
                    for place, rows in stored.items()
                },
            ),
            *(f"unequal terms: {difference}" for difference in unequal),
        ),
    )


def _divide(
    settings: Settings,
    grid: Grid,
    by: str,
    stored: Mapping[str, Rows],
    datas: Mapping[str, Data] | None,
) -> tuple[dict[str, list[_Point]], Iterator[str]]:
    """Place → every row on every part of the place's examples; and the notes."""
    _, suite = settings.suite(grid.suite)
    datas = datas or open_sources(settings, suite)
    points: dict[str, list[_Point]] = {}
    divisions: dict[str, Division] = {}
    for place, rows in stored.items():
        first = next(iter(rows.values()))
        data, task = datas[first.cell.source], first.cell.task
        evaluated = data.load(task, suite.evaluate)
        require_same_examples(place, first, evaluated)
        division = divisions[place] = DIMENSIONS[by].divide(task, evaluated, data)
        names = [division.of_example[id] for id in first.ids] if division.order else []
        parts = [
            (make_part(first, place, name, members), members)
            for name in division.order
            if len(members := np.flatnonzero([own == name for own in names]))
        ]
        points[place] = [_Point(key, key, part, members) for key in rows for part, members in parts]
    if not any(points.values()):
        why = "; ".join(f"{place}: {division.refused}" for place, division in divisions.items())
        others = [name for name in (*DIMENSIONS, K) if name != by]
        raise ConfigError(
            f"no task of suite {grid.suite!r} can be sliced by {by} ({why})",
            hint=f"Give another --slice: {', '.join(others)}",
        )
    return points, write_slice_notes(settings, by, divisions)


def _place_curves(
    settings: Settings, grid: Grid, stored: Mapping[str, Rows]
) -> tuple[dict[str, list[_Point]], Iterator[str]]:
    """Place → every curve at each of its k, after the reference; and the notes."""
    _, suite = settings.suite(grid.suite)
    points: dict[str, list[_Point]] = {}
    for place, rows in stored.items():
        curves = find_curves(rows)
        first = next(iter(rows.values()))
        members = np.arange(len(first.ids))
        parts = {
            name: make_part(first, place, name, members)
            for name in (NO_K, *map(str, sorted({k for ks in curves.values() for k in ks})))
        }
        references = [key for key in rows if key.method == suite.reference] if curves else []
        points[place] = [
            *(_Point(key, key, parts[NO_K], members) for key in references),
            *(
                _Point(curve, key, parts[str(k)], members)
                for curve, ks in curves.items()
                for k, key in ks.items()
            ),
        ]
    if not any(points.values()):
        raise ConfigError(
            f"no method of suite {grid.suite!r} has scores for more than one k",
            hint="List variants that differ only in k, such as [methods.bm25-k1] with "
            '`method = "bm25"` and `k = 1`',
        )
    return points, write_curve_notes(settings, stored)


def require_same_examples(place: str, row: StoredRow, evaluated: Dataset) -> None:
    """Raise StorageError unless the data holds every scored example."""
    unknown = set(row.ids) - {example.id for example in evaluated.examples}
    if unknown:
        raise StorageError(
            f"{place}: {len(unknown)} scored examples are not in the data",
            id=min(unknown),
            file=row.cell.folder,
            hint="Restore the data that this cell was computed on, or run the suite again",
        )


def _score(
    settings: Settings, suite: Suite, rows: Rows, points: list[_Point], all_metrics: bool
) -> Iterator[SliceScore]:
    """Every point in each metric that can be computed on parts."""
    first = next(iter(rows.values()))
    task = first.cell.task
    shown = choose(task, settings.scoring.rules) if all_metrics else task.headline_metrics()
    withheld = find_withheld(scores for row in rows.values() for scores in row.scores)
    for metric in shown:
        if metric in {*CORPUS_METRICS, *withheld} or first.results.arrays(metric) is None:
            continue
        scorer = PartScorer(task, metric, settings.scoring)
        scores = []
        for point in points:
            row = rows[point.stored]
            reference = find_method(rows, suite.reference, point.stored)
            other = None if reference is row else reference
            scores.append(scorer.score(point.shown, row, other, point.part, point.members))
        yield from correct_scores(scores)
