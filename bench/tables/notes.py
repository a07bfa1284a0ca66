"""The notes below a table: the equal terms, what the marks mean, and what is missing."""

from collections.abc import Iterator, Sequence

from bench import store
from bench.grid import Grid
from bench.settings import Settings, Suite
from bench.tables.effort import state_effort
from bench.tables.model import Column, Row
from bench.tables.stored import NO_GOLDS


def write_notes(
    settings: Settings, grid: Grid, columns: Sequence[Column], rows: Sequence[Row]
) -> Iterator[str]:
    """All notes, in the order in which they are shown."""
    _, suite = settings.suite(grid.suite)
    yield from _state_terms(settings, suite)
    yield from state_effort(suite, rows)
    yield from _explain_marks(settings, suite)
    if grid.inapplicable:
        yield f"not applicable: {_group(grid.inapplicable)}"
    for name in dict.fromkeys(llm for _, llm in grid.without_weights):
        rows_left_out = ", ".join(row for row, llm in grid.without_weights if llm == name)
        yield f"not applicable to {name}: needs weights, and it is served: {rows_left_out}"
    yield from _explain_missing_tasks(columns, rows)
    yield from _state_cut_queries(columns, rows)
    yield from _state_task_gaps(suite, columns, rows)


def _state_terms(settings: Settings, suite: Suite) -> Iterator[str]:
    """What is the same for every row."""
    tokens, rules = suite.max_input_tokens, suite.budget_rule
    yield (
        f"{suite.split} split, {suite.train} → {suite.evaluate}, "
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
        yield f"LLM {name}: {source}, adapt={llm.adapt}, {beams} beam{'s' * (beams != 1)}"
    for name in suite.encoders:
        yield f"encoder {name}: {settings.encoder(name).model}"


def _explain_marks(settings: Settings, suite: Suite) -> Iterator[str]:
    scoring = settings.scoring
    column = "its column" if len(suite.budgets) == 1 else "its column within one prompt budget"
    yield (
        f"bold: best of {column} (bounds don't compete); *: the {scoring.confidence:.0%} "
        f"interval of the difference to {suite.reference} excludes 0 (bootstrap over users, "
        f"{scoring.resamples} resamples, not corrected for multiple rows); ↓: lower is better, so "
        "a negative difference is an improvement; f failed, u unparsed: both count as wrong"
    )
    if len(suite.seeds) > 1:
        yield (
            "methods that no seed can change run with the first seed only; other scores are means "
            "over seeds. Intervals cover users, not seeds: see the standard deviation over seeds"
        )


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
                        f"Δtask on {task} = {row.method} − {suite.reference} = {gap.value:+.3f} "
                        f"[{gap.low:+.3f}, {gap.high:+.3f}] {column.metric}"
                        + (f" with {row.llm}" if len(suite.llms) > 1 else "")
                        + (f" at {row.budget} tokens" if len(suite.budgets) > 1 else "")
                    )


def _group(pairs: Sequence[tuple[str, str]]) -> str:
    """(method, task) pairs as "method on task, task; method on …"."""
    tasks: dict[str, list[str]] = {}
    for method, task in pairs:
        tasks.setdefault(method, []).append(task)
    return "; ".join(f"{method} on {', '.join(names)}" for method, names in tasks.items())
