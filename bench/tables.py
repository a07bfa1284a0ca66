"""Stored cells → one table model, which every output format is rendered from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench import store
from bench.grid import Cell, Grid
from bench.rows import CONTROL
from bench.settings import ScoringSettings, Settings, Suite
from bench.statistics import Interval, difference, interval
from methods import Cost
from methods.core.controls import SEPARATOR
from tasks.common.errors import StorageError
from tasks.metrics import create

CONTROL_SUFFIX = f"{SEPARATOR}{CONTROL}"
GAPS = ("difference", "control_difference", "instruction_only_difference")
FRAME_COLUMNS = [
    *("task", "metric", "method", "llm", "encoder", "value", "low", "high"),
    *(f"{gap}{end}" for gap in GAPS for end in ("", "_low", "_high")),
    *("by_seed", "n", "n_failed", "n_unparsed", "seeds", "higher_is_better"),
]
NO_GOLDS = "no golds"
METRICS_SHOWN = 2
"""Metrics of a task in a table unless all are asked for: the ones its paper reports."""


@dataclass(frozen=True)
class Column:
    """One metric of one task; `n` examples were scored.

    `task` names the data source too where the suite has several.
    """

    task: str
    metric: str
    higher_is_better: bool
    n: int


@dataclass(frozen=True)
class Entry:
    """One score of one row.

    Attributes:
        interval: user-clustered bootstrap interval of the score, averaged over seeds.
        to_reference: interval of the difference to the reference row; None for that row itself.
        to_control: Δuser, of the difference to the same method given a shuffled user's history;
            None where the table has no such row.
        to_instruction_only: of the difference to the suite's instruction-only row; None for that
            row itself, and where the table has none.
        by_seed: the score of each seed, in the suite's order.
        n, n_failed, n_unparsed: summed over seeds for the latter two; n of one seed.
        best: the best value of its column, bounds aside.
    """

    interval: Interval
    to_reference: Interval | None
    to_control: Interval | None
    to_instruction_only: Interval | None
    by_seed: tuple[float, ...]
    n: int
    n_failed: int
    n_unparsed: int
    best: bool = False

    @property
    def seeds(self) -> int:
        """How many the score is a mean of."""
        return len(self.by_seed)


@dataclass(frozen=True)
class Price:
    """What a row costs: means over its finished cells, as their records tell (methods.md §6).

    Attributes:
        trainable_shared, trainable_per_user, bytes_per_user, seconds_per_user: see `Cost`.
        fit_seconds: of what is trained once, whichever cell trained it; a pool's members and an
            LLM's feedback that another row had left in the cache are not in it.
        query_ms: milliseconds of `predict` a query, training of users' own parts included; what an
            earlier cell left in the cache (adapters, summaries, embeddings) is not in it.
        prompt_tokens: read by the LLM for a query, soft tokens not counted.
    """

    trainable_shared: float
    trainable_per_user: float
    bytes_per_user: float
    seconds_per_user: float
    fit_seconds: float
    query_ms: float
    prompt_tokens: float


@dataclass(frozen=True)
class Row:
    """One method with its models. `missing` says why a task has no entry, or not all seeds.

    `price` is None where no cell is done, and for controls: theirs are their method's.
    """

    method: str
    llm: str | None
    encoder: str | None
    entries: dict[Column, Entry]
    missing: dict[str, str]
    price: Price | None = None


@dataclass(frozen=True)
class Table:
    """A suite's results: rows in the suite's order, columns task by task.

    `instruction_only` names that row, if the table has it.
    """

    title: str
    reference: str
    instruction_only: str | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


@dataclass
class _Line:
    """The stored scores and records of one row and task, one for each seed."""

    scores: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    state: str = ""
    bound: bool = False

    def arrays(self, metric: str) -> list[NDArray[np.float64]]:
        return [np.asarray(s["metrics"][metric]["rows"], dtype=np.float64) for s in self.scores]


def build(settings: Settings, grid: Grid, *, all_metrics: bool = False) -> Table:
    """The table of a grid from what is stored; absent and failed cells are shown as such.

    Raises StorageError where a stored file is damaged.
    """
    _, suite = settings.suite(grid.suite)
    lines: dict[tuple[str, str | None, str | None], dict[str, _Line]] = {}
    for cell in grid.cells:
        row = lines.setdefault((cell.variant, cell.llm, cell.encoder), {})
        _add(row.setdefault(cell.place, _Line(bound=cell.method.bound)), cell)
    tasks = {cell.place: cell.task for cell in grid.cells}
    columns: list[Column] = []
    entries: dict[tuple[Any, ...], dict[Column, Entry]] = {key: {} for key in lines}
    for name, task in tasks.items():
        shown = task.metrics if all_metrics else task.metrics[:METRICS_SHOWN]
        scored = {key: row[name] for key, row in lines.items() if name in row and row[name].scores}
        for metric in shown:
            found = _column(name, metric, task, scored, suite, settings.scoring)
            if found is not None:
                column, of_row = found
                columns.append(column)
                for key, entry in of_row.items():
                    entries[key][column] = entry
    rows = [
        Row(
            *key,
            entries[key],
            {task: line.state for task, line in row.items() if line.state},
            None if SEPARATOR in key[0] else _price([r for li in row.values() for r in li.records]),
        )
        for key, row in lines.items()
    ]
    unscored = _unscored(columns, rows)
    notes = [*_notes(settings, grid), *unscored, *_task_gaps(suite, columns, rows)]
    has_row = any(row.method == suite.instruction_only for row in rows)
    instruction_only = suite.instruction_only if has_row else None
    return Table(
        _title(grid), suite.reference, instruction_only, tuple(columns), tuple(rows), tuple(notes)
    )


def frame(table: Table) -> pd.DataFrame:
    """The table in long form, a row for each score: for pandas, spreadsheets and plots."""
    rows = [
        {
            "task": column.task,
            "metric": column.metric,
            "method": row.method,
            "llm": row.llm,
            "encoder": row.encoder,
            "value": entry.interval.value,
            "low": entry.interval.low,
            "high": entry.interval.high,
            **_gap_columns(entry),
            "by_seed": " ".join(f"{value:.6f}" for value in entry.by_seed),
            "n": entry.n,
            "n_failed": entry.n_failed,
            "n_unparsed": entry.n_unparsed,
            "seeds": entry.seeds,
            "higher_is_better": column.higher_is_better,
        }
        for row in table.rows
        for column, entry in row.entries.items()
    ]
    return pd.DataFrame(rows, columns=FRAME_COLUMNS)


def _gap_columns(entry: Entry) -> dict[str, float | None]:
    gaps = (entry.to_reference, entry.to_control, entry.to_instruction_only)
    columns: dict[str, float | None] = {}
    for name, gap in zip(GAPS, gaps, strict=True):
        parts = (None, None, None) if gap is None else (gap.value, gap.low, gap.high)
        columns |= zip((name, f"{name}_low", f"{name}_high"), parts, strict=True)
    return columns


def _price(records: Sequence[dict[str, Any]]) -> Price | None:
    if not records:
        return None
    n = [max(1, record["totals"]["n"]) for record in records]
    return Price(
        **{
            name: fmean(record["cost"].get(name, 0) for record in records)
            for name in Cost.__annotations__
        },
        fit_seconds=fmean(record["fit"].get("seconds", 0) for record in records),
        query_ms=fmean(
            1000 * record["seconds"]["predict"] / count
            for record, count in zip(records, n, strict=True)
        ),
        prompt_tokens=fmean(record["totals"]["prompt_tokens_mean"] for record in records),
    )


def _add(line: _Line, cell: Cell) -> None:
    if store.is_done(cell.folder):
        line.records.append(store.read_json(cell.folder / store.RECORD))
        if (cell.folder / store.SCORES).is_file():
            line.scores.append(store.read_json(cell.folder / store.SCORES))
        else:
            line.state = NO_GOLDS
    else:
        line.state = "failed" if store.error_file(cell.folder).is_file() else "not run"


def _column(
    task_name: str,
    metric_name: str,
    task: Any,
    lines: dict[Any, _Line],
    suite: Suite,
    scoring: ScoringSettings,
) -> tuple[Column, dict[Any, Entry]] | None:
    if not lines:
        return None
    first = next(iter(lines.values())).scores[0]
    users, ids = first["users"], first["ids"]
    for key, line in lines.items():
        for scores in line.scores:
            _check_alike(scores, ids, metric_name, scoring, f"{task_name}: a cell of {key[0]!r}")
    # Resampling LaMP's bootstrap median would be a bootstrap in a bootstrap: the mean it estimates
    # is resampled instead, and the stored value shown.
    metric = create(metric_name, task(), unparsed=scoring.unparsed)
    how = {"confidence": scoring.confidence, "resamples": scoring.resamples}
    entries: dict[Any, Entry] = {}

    def gap(ours: _Line, theirs: _Line | None) -> Interval | None:
        if theirs is None or theirs is ours:
            return None
        both = (ours.arrays(metric_name), theirs.arrays(metric_name))
        return difference(*both, users, metric.reduce, **how)  # type: ignore[arg-type]

    for key, line in lines.items():
        stored = [scores["metrics"][metric_name] for scores in line.scores]
        sampled = interval(line.arrays(metric_name), users, metric.reduce, **how)  # type: ignore[arg-type]
        entries[key] = Entry(
            interval=replace(sampled, value=fmean(s["value"] for s in stored)),
            to_reference=gap(line, _line_of(lines, suite.reference, key)),
            to_control=gap(line, lines.get((f"{key[0]}{CONTROL_SUFFIX}", *key[1:]))),
            to_instruction_only=gap(line, _line_of(lines, suite.instruction_only, key)),
            by_seed=tuple(scores["value"] for scores in stored),
            n=len(ids),
            n_failed=sum(s["n_failed"] for s in stored),
            n_unparsed=sum(s["n_unparsed"] for s in stored),
        )
    column = Column(task_name, metric_name, metric.higher_is_better, len(ids))
    methods = [key for key, line in lines.items() if not line.bound]
    return column, _with_best(entries, methods, metric.higher_is_better)


def _check_alike(
    scores: dict[str, Any], ids: list[str], metric: str, scoring: ScoringSettings, what: str
) -> None:
    """Raise StorageError unless a cell was scored as the table says, on the table's examples."""
    how = {"unparsed": scoring.unparsed, "aggregator": scoring.aggregator}
    if scores["ids"] != ids or scores["scoring"] != how or metric not in scores["metrics"]:
        raise StorageError(
            f"{what} was scored on other examples, with other metrics or with another [scoring]",
            hint="Run `bench score` so that all are scored alike",
        )


def _line_of(lines: dict[Any, _Line], method: str, key: Any) -> _Line | None:
    """That method's row of the same LLM (and encoder, if several), or the only one there is."""
    own = {k: line for k, line in lines.items() if k[0] == method}
    same = [(k, line) for k, line in own.items() if k[1] in (key[1], None)]
    if same:
        return next((line for k, line in same if k[2] == key[2]), same[0][1])
    return next(iter(own.values())) if len(own) == 1 else None


def _with_best(entries: dict[Any, Entry], methods: Sequence[Any], higher: bool) -> dict[Any, Entry]:
    """The best of `methods` marked; bounds aren't among them."""
    shown = {key: round(entries[key].interval.value, 4) for key in methods}
    best = (max if higher else min)(shown.values(), default=None)
    return {
        key: replace(entry, best=key in shown and shown[key] == best)
        for key, entry in entries.items()
    }


def _title(grid: Grid) -> str:
    done = sum(store.is_done(cell.folder) for cell in grid.cells)
    return f"{grid.suite}: {done} of {len(grid.cells)} cells"


def _notes(settings: Settings, grid: Grid) -> Iterable[str]:
    """What a reader must know to compare rows: the equal terms, and what the marks mean."""
    _, suite = settings.suite(grid.suite)
    yield (
        f"{suite.split} split, {suite.train} → {suite.evaluate}, seeds {_list(suite.seeds)}, "
        f"prompt budget {suite.max_input_tokens} tokens, unparsed={settings.scoring.unparsed}, "
        f"aggregator={settings.scoring.aggregator}"
    )
    for name in suite.llms:
        llm = settings.llm(name)
        source = llm.model or "made from scratch on the train split"
        yield f"LLM {name}: {source}, adapt={llm.adapt}, {llm.decoding.num_beams} beams"
    for name in suite.encoders:
        yield f"encoder {name}: {settings.encoder(name).model}"
    yield (
        f"best in bold, bounds aside; * the {settings.scoring.confidence:.0%} interval of the "
        f"difference to {suite.reference} excludes 0 (bootstrap over users, "
        f"{settings.scoring.resamples} resamples, not corrected for multiple rows); a negative "
        "difference of an error (↓) is better; f failed, u unparsed: both count as wrong"
    )
    if len(suite.seeds) > 1:
        yield (
            "rows that no seed can change are run once; others are means over seeds, and "
            "their intervals are those of these seeds: how far other seeds may lie, only `seed sd` "
            "tells"
        )
    if grid.inapplicable:
        yield f"not applicable: {_grouped(grid.inapplicable)}"


def _unscored(columns: Sequence[Column], rows: Sequence[Row]) -> Iterable[str]:
    """What became of rows on tasks that have no column, because no row has a score there."""
    shown = {column.task for column in columns}
    states: dict[str, dict[tuple[str, str], None]] = {}
    for row in rows:
        for task, state in row.missing.items():
            if task not in shown:
                states.setdefault(state, {})[row.method, task] = None
    for state, pairs in states.items():
        where = f" (answers in each cell's {store.SUBMISSION})" if state == NO_GOLDS else ""
        yield f"{state}{where}: {_grouped(list(pairs))}"


def _task_gaps(suite: Suite, columns: Sequence[Column], rows: Sequence[Row]) -> Iterable[str]:
    """Δtask for every task: what the trained capacity gains without any user."""
    primary = {column.task: column for column in reversed(columns)}
    for row in rows:
        if row.method == suite.instruction_only:
            for task, column in sorted(primary.items()):
                entry = row.entries.get(column)
                if entry is not None and entry.to_reference is not None:
                    gap = entry.to_reference
                    yield (
                        f"Δtask on {task} = {row.method} − {suite.reference} = {gap.value:+.3f} "
                        f"[{gap.low:+.3f}, {gap.high:+.3f}] {column.metric}"
                        + (f" with {row.llm}" if len(suite.llms) > 1 else "")
                    )


def _grouped(pairs: Sequence[tuple[str, str]]) -> str:
    """(row, task) pairs as "row on task, task; row on …"."""
    tasks: dict[str, list[str]] = {}
    for row, task in pairs:
        tasks.setdefault(row, []).append(task)
    return "; ".join(f"{row} on {', '.join(of_row)}" for row, of_row in tasks.items())


def _list(values: Sequence[object]) -> str:
    return ", ".join(str(value) for value in values)
