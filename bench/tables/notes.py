"""The notes below a table: the equal terms, what the marks mean, and what is missing."""

import json
from collections.abc import Iterable, Iterator, Sequence

from bench import store
from bench.grid import Grid
from bench.settings import Settings, Suite
from bench.statistics import Comparison, Interval
from bench.tables.data_notes import write_data_notes
from bench.tables.effort import state_effort
from bench.tables.marks import explain_marks
from bench.tables.model import Column, Row
from bench.tables.options import describe_changed_options
from bench.tables.stored import NO_GOLDS
from bench.tables.trust import state_trust
from tasks.scoring import EVALUATE, EvaluateModule


def write_notes(
    settings: Settings,
    grid: Grid,
    columns: Sequence[Column],
    rows: Sequence[Row],
    unequal: Sequence[str] = (),
    withheld: Iterable[str] = (),
) -> Iterator[str]:
    """All notes, in the order in which they are shown."""
    _, suite = settings.suite(grid.suite)
    yield from explain_marks(settings, suite, columns, rows)
    yield from _state_terms(settings, suite)
    yield from state_effort(suite, rows)
    if unequal:
        yield f"UNEQUAL TERMS, shown because asked for: {'; '.join(unequal)}"
    yield from describe_changed_options(grid)
    if grid.inapplicable:
        yield f"not applicable: {_group(grid.inapplicable)}"
    for name in dict.fromkeys(llm for _, llm in grid.without_weights):
        rows_left_out = ", ".join(row for row, llm in grid.without_weights if llm == name)
        yield f"not applicable to {name}: needs weights, and it is served: {rows_left_out}"
    yield from _explain_missing_tasks(columns, rows)
    yield from withheld
    yield from _point_to_judges(grid)
    yield from _state_modules(grid, columns)
    yield from _state_cut_queries(columns, rows)
    yield from write_data_notes(grid, columns, rows)
    yield from _state_task_gaps(suite, columns, rows)
    yield from state_trust(grid)


def _point_to_judges(grid: Grid) -> Iterator[str]:
    """Which tasks' answers are scored elsewhere, since their golds are rubrics."""
    names = sorted({cell.task.name for cell in grid.cells if not cell.task.gold_is_answer})
    if names:
        yield (
            f"{', '.join(names)}: aspect_recall counts words of rubrics, so that it rises with an "
            f"answer's length; `bench judge {grid.suite} --llm NAME` scores the answers"
        )


def _state_terms(settings: Settings, suite: Suite) -> Iterator[str]:
    """What is the same for every row."""
    tokens, rules = suite.max_input_tokens, suite.budget_rule
    yield (
        f"{suite.split} split, {suite.train} → {suite.evaluate}{_describe_limits(suite)}, "
        f"seeds {', '.join(map(str, suite.seeds))}, "
        f"prompt budget{'s' * (len(suite.budgets) > 1)} {', '.join(map(str, tokens))} tokens "
        f"({', '.join(rules)}), unparsed={settings.scoring.unparsed}, "
        f"aggregator={settings.scoring.aggregator}"
    )
    for name in suite.llms:
        llm = settings.llm(name)
        source = llm.model or "made from scratch on the train split"
        if llm.endpoint is not None:
            served = llm.served_options
            own = served.tokenizer or served.weights
            template = (
                f"template and tokens of {own}" if own else "estimated tokens, template: server"
            )
            yield f"LLM {name}: {source}, served ({served.dialect}), {template}, greedy"
            continue
        beams = llm.decoding.num_beams
        rule = f"{beams} beam{'s' * (beams != 1)}"
        if llm.decoding.rule == "likelihood":
            rule = "answers are the likeliest label"
        yield f"LLM {name}: {source}, adapt={llm.adapt}, {rule}"
    for name in suite.encoders:
        yield f"encoder {name}: {settings.encoder(name).model}"


def _describe_limits(suite: Suite) -> str:
    """Such as " (train_limit=100)", where a suite takes only the first queries of a set."""
    names = ("train_limit", "evaluate_limit")
    limits = [f"{name}={n}" for name in names if (n := getattr(suite, name)) is not None]
    return f" ({', '.join(limits)})" if limits else ""


def _explain_missing_tasks(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """Why tasks have no column: no row has a score there."""
    shown = {column.task for column in columns}
    states: dict[str, dict[tuple[str, str], None]] = {}
    for row in rows:
        for task, state in row.missing.items():
            if task not in shown:
                states.setdefault(state, {})[row.method, task] = None
    for state, pairs in states.items():
        where = f" (answers in each cell's {store.SUBMISSION})" if state == NO_GOLDS else ""
        yield f"{state}{where}: {_group(list(pairs))}"


def _state_cut_queries(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """Which rows were not asked the whole question."""
    firsts = list({column.task: column for column in columns}.values())
    several = len({row.budget for row in rows} - {None}) > 1
    cut = []
    for row in rows:
        parts = []
        for column in firsts:
            entry = row.entries.get(column)
            if entry is not None and entry.query_read is not None and entry.queries_cut:
                share, n = format_share(entry.query_read), entry.n * entry.seeds
                parts.append(f"{share} on {column.task} ({entry.queries_cut} of {n} queries cut)")
        if parts:
            budget = f" ({row.budget})" if several else ""
            cut.append(f"{row.method}{budget} reads {', '.join(parts)}")
    if cut:
        yield (
            "the prompt budget cuts the end of queries, so these rows were not asked the whole "
            f"question: {'; '.join(cut)}"
        )


def _state_modules(grid: Grid, columns: Sequence[Column]) -> Iterator[str]:
    """What computed the metrics that come from modules of `evaluate`."""
    shown = {(c.task, c.metric) for c in columns if c.metric.startswith(EVALUATE)}
    stated: dict[str, None] = {}
    for cell in grid.cells if shown else ():
        scores = store.read_scores(cell.folder) if store.is_done(cell.folder) else None
        for module in () if scores is None else scores.scoring.evaluate:
            if (cell.place, module.metric) in shown:
                stated[_describe_module(module)] = None
    yield from stated


def _describe_module(module: EvaluateModule) -> str:
    parts = [
        f"{module.metric}: {module.value or 'the value'} of module {module.module}",
        f"source {module.sha256[:12]}" if module.sha256 else "source unknown",
        f"evaluate {module.evaluate}",
    ]
    if module.config is not None:
        parts.append(f"config {module.config}")
    parts += [f"{key}={json.dumps(value)}" for key, value in module.options.items()]
    if module.one_by_one:
        parts.append("each example scored by itself, then averaged")
    if module.worst is not None:
        parts.append(f"failed and unparsed answers count {module.worst:g}")
    return ", ".join(parts)


def format_share(share: float) -> str:
    """A share in percent, rounded down, so that only a whole one is 100%."""
    return "100%" if share >= 1 else f"{int(1000 * share) / 10:g}%"


def _state_task_gaps(suite: Suite, columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """Δtask of every task: what the trained capacity gains without any user."""
    primary = {column.task: column for column in reversed(columns)}
    for row in rows:
        if row.method == suite.instruction_only:
            for task, column in sorted(primary.items()):
                entry = row.entries.get(column)
                if entry is not None and entry.to_reference is not None:
                    gap = entry.to_reference
                    yield (
                        f"Δtask on {task} = {row.method} − {suite.reference} = "
                        f"{gap.difference:+.3f} {format_bounds(gap, '+.3f')} {column.metric}"
                        + (f" with {row.llm}" if len(suite.llms) > 1 else "")
                        + (f" at {row.budget} tokens" if len(suite.budgets) > 1 else "")
                    )


def format_bounds(interval: Interval | Comparison, form: str) -> str:
    """An interval's bounds in this number format, or what stands where it is withheld."""
    if interval.low is None or interval.high is None:
        return "[no interval]"
    return f"[{interval.low:{form}}, {interval.high:{form}}]"


def _group(pairs: Sequence[tuple[str, str]]) -> str:
    """(method, task) pairs as "method on task, task; method on …"."""
    tasks: dict[str, list[str]] = {}
    for method, task in pairs:
        tasks.setdefault(method, []).append(task)
    return "; ".join(f"{method} on {', '.join(names)}" for method, names in tasks.items())
