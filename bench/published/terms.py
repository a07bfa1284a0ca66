"""In what a suite's terms differ from those of published numbers."""

from collections.abc import Iterable, Iterator

import pandas as pd

from bench.grid import Grid
from bench.settings import Settings, Suite
from bench.tables.model import Table


def list_differences(
    settings: Settings, grid: Grid, measured: Table, shown: pd.DataFrame
) -> Iterator[str]:
    """Why the suite's scores can't be compared with these published numbers, a phrase each."""
    _, suite = settings.suite(grid.suite)
    yield from _compare_data(settings, suite)
    for key, here in (("split", suite.split), ("set", suite.evaluate)):
        if here not in set(shown[key]):
            yield f"the {here} {key} here, {_join(shown[key])} there"
    yield from _compare_sizes(grid, measured, shown)
    if suite.train_limit is not None:
        yield f"at most {suite.train_limit} train queries here, all of them there"
    yield from _compare_llms(settings, suite, grid, shown)
    there = set(shown["max_input_tokens"].dropna())
    here_only = [tokens for tokens in suite.max_input_tokens if tokens not in there]
    if there and here_only and any(cell.llm for cell in grid.cells):
        yield f"{_join(here_only)} prompt tokens here, {_join(sorted(there))} there"


def _compare_data(settings: Settings, suite: Suite) -> Iterator[str]:
    for name in suite.data:
        source = settings.source(name)
        if source.mini is not None:
            yield f"data {name} is a LaMP-mini world, with other texts, users and labels than LaMP"
        elif source.sample is not None:
            yield f"data {name} is generated text, not LaMP"


def _compare_sizes(grid: Grid, measured: Table, shown: pd.DataFrame) -> Iterator[str]:
    """Other numbers of queries than the paper's are another set, whatever its name."""
    tasks = {cell.place: cell.task.name for cell in grid.cells}
    here = {column.task: column.n for column in measured.columns}
    sizes = shown.groupby("task", sort=False)["n"].unique()
    other = [
        f"{place} {n} and {_join(sizes[tasks[place]])}"
        for place, n in here.items()
        if tasks[place] in sizes.index and n not in sizes[tasks[place]]
    ]
    if other:
        yield f"queries scored here and there: {', '.join(other)}"


def _compare_llms(
    settings: Settings, suite: Suite, grid: Grid, shown: pd.DataFrame
) -> Iterator[str]:
    used = {cell.llm for cell in grid.cells}
    names = [name for name in suite.llms if name in used]
    others = [name for name in names if settings.llm(name).model not in set(shown["llm"])]
    if others:
        yield f"LLM {_join(others)} here, {_join(shown['llm'])} there"
    tuned = [name for name in names if settings.llm(name).adapt != "none"]
    if tuned:
        yield f"LLM {_join(tuned)} is first tuned to the task here, frozen as released there"


def _join(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in dict.fromkeys(values))
