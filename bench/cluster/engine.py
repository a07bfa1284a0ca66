"""Runs the cells of a grid on a Ray cluster.

This process, Ray's driver, gives each worker one cell after another. Workers write to the same
store, which all nodes must share; only messages pass through Ray. A worker that is lost, alone or
with its node, costs the cell that it was running: another one runs it again, from its checkpoint.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from rich.console import Console

from bench import store
from bench.cell import Outcome
from bench.cluster.connection import connect
from bench.cluster.driver import Driver, Row, list_nodes
from bench.cluster.needs import Needs, Resources, find_needs
from bench.cluster.worker import Job, digest_cells
from bench.grid import Grid
from bench.progress import Bars
from bench.settings import Settings
from bench.threads import choose_threads
from bench.workers import order_cells


def run(
    settings: Settings,
    grid: Grid,
    bars: Bars,
    console: Console,
    report: Callable[[Outcome], None],
    *,
    address: str | None,
) -> dict[int, Outcome]:
    """Run the cells of a grid that aren't done on a Ray cluster.

    Args:
        bars: shows what each worker does.
        console: for what happens to the cluster.
        report: called with each outcome as it comes.
        address: of the cluster's head, see `connect`.

    Returns:
        The outcomes of those cells by index in the grid.

    Raises:
        ClusterError: the cluster can't be reached, or has no node left for a cell.
        ConfigError: no node has what a cell needs, or one plans other cells.
        StorageError: results can't be written, or a node doesn't share the store.
    """
    left = [index for index, cell in enumerate(grid.cells) if not store.is_done(cell.folder)]
    _, suite = settings.suite(grid.suite)
    doing = "starts on this machine" if address is None else f"connecting to {address}"
    console.print(f"ray  {doing} …", soft_wrap=True)
    with connect(address) as ray, _write_tokens(settings) as tokens:
        nodes = list_nodes(ray)
        threads = choose_threads(settings, suite, suite.workers, grid.methods)
        cells = [grid.cells[index] for index in left]
        needs = find_needs(cells, settings, threads, nodes)
        job = Job(
            settings, grid.suite, grid.methods, grid.tasks, digest_cells(grid), tokens,
            folder=str(Path.cwd()), paths=tuple(sys.path),
        )  # fmt: skip
        rows = make_rows(dict(zip(left, needs, strict=True)), nodes)
        text = f"{len(nodes)} node{'s' * (len(nodes) > 1)}, room for {_describe(rows)}"
        console.print(f"ray  {text}", soft_wrap=True)
        bars.write(f"Ray: {text}")
        bars.share(len(rows))
        driver = Driver(ray, grid, set(left), settings.store.cache, bars, console, report)
        return driver.run(job, rows)


def make_rows(needs: dict[int, Needs], nodes: Sequence[Resources]) -> list[Row]:
    """As many rows for each kind of needs as the nodes have room for; those with GPUs first."""
    rows: list[Row] = []
    for kind in sorted(set(needs.values()), key=lambda n: (-n.gpus, -n.cpus, -n.memory)):
        cells = [index for index, need in needs.items() if need == kind]
        number = min(len(cells), sum(kind.count_room(node) for node in nodes))
        for worker in range(number):
            order = [cells[place] for place in order_cells(len(cells), worker, number)]
            rows.append(Row(len(rows), kind, order))
    return rows


def _describe(rows: Sequence[Row]) -> str:
    kinds = Counter(str(row.needs) for row in rows)
    return "; ".join(f"{n} worker{'s' * (n > 1)} of {needs}" for needs, n in kinds.items())


@contextmanager
def _write_tokens(settings: Settings) -> Iterator[tuple[Path, ...]]:
    """A file in each folder that nodes must share, by which a worker knows that its node does."""
    with ExitStack() as stack:
        files = []
        for folder in (settings.store.runs, settings.store.cache):
            store.require_writable(folder)
            file = stack.enter_context(NamedTemporaryFile(dir=folder, prefix=".shared-"))
            files.append(Path(file.name))
        yield tuple(files)
