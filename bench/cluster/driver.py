"""Gives the cells of a grid to workers, one after another, and replaces workers that are lost."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console

from bench import store
from bench.cell import Outcome, State
from bench.cluster.connection import ClusterError
from bench.cluster.needs import Needs, Resources
from bench.cluster.worker import Ended, Fault, Job, Worker
from bench.grid import Grid
from bench.locks import Busy, lock_cell
from bench.progress import Bars, Doing

POLL = 1.0
"""Seconds between questions what the workers do."""
MOST_LOSSES = 3
"""Workers that one cell may cost, and that one row may lose before they have begun a cell."""
WATCH = "watch"
"""The concurrency group that answers while a cell runs."""


@dataclass
class Row:
    """A place for one worker after another, and what the present one does.

    Attributes:
        order: indices in the grid, as they are best given to it.
        node: where the worker runs; "" where there is none that has started.
        cell: the one it is running.
        llm: key of the LLM that it holds open.
        losses: workers that ended before they began a cell.
    """

    number: int
    needs: Needs
    order: list[int]
    worker: Any = None
    node: str = ""
    cell: int | None = None
    llm: str | None = None
    losses: int = 0


class Driver:
    """Gives cells to workers until all are done. `untried`: their indices in the grid."""

    def __init__(
        self,
        ray: Any,
        grid: Grid,
        untried: set[int],
        cache: Path,
        bars: Bars,
        console: Console,
        report: Callable[[Outcome], None],
    ) -> None:
        self._ray, self._cells, self._untried, self._cache = ray, grid.cells, untried, cache
        self._bars, self._console, self._report = bars, console, report
        self._actor = ray.remote(concurrency_groups={WATCH: 1})(Worker)
        self._fits = [cell.fit_key for cell in grid.cells]
        self._llms = [cell.depends_on.llm for cell in grid.cells]
        self._losses: Counter[int] = Counter()  # of workers, by cell
        self._answers: dict[Any, tuple[Row, Callable[[Row, Any], None]]] = {}
        self._found: dict[int, Outcome] = {}
        self._watched = -POLL

    def run(self, job: Job, rows: Sequence[Row]) -> dict[int, Outcome]:
        """The outcomes by index in the grid."""
        self._job = self._ray.put(job)
        self._rows = rows
        try:
            for row in rows:
                self._start(row)
            while self._untried or any(row.cell is not None for row in rows):
                ready, _ = self._ray.wait(list(self._answers), timeout=POLL)
                for answer in ready:
                    self._take(answer)
                self._watch()
        finally:
            for row in rows:
                self._end(row)
        return self._found

    def _start(self, row: Row) -> None:
        options = row.needs.to_options()
        row.worker = self._actor.options(**options, scheduling_strategy="SPREAD").remote()
        row.llm = None
        self._bars.show(row.number, Doing("", "waiting for a node with room"))
        self._ask(row, row.worker.start.remote(self._job, row.needs), self._on_start)

    def _end(self, row: Row) -> None:
        """Stop the row's worker, whatever it does."""
        self._answers = {ref: of for ref, of in self._answers.items() if of[0] is not row}
        if row.worker is not None:
            with suppress(Exception):  # it is gone, or Ray is
                self._ray.kill(row.worker)
        row.worker, row.node = None, ""

    def _ask(self, row: Row, answer: Any, take: Callable[[Row, Any], None]) -> None:
        self._answers[answer] = row, take

    def _take(self, answer: Any) -> None:
        """Act on a worker's answer, or on its loss."""
        if answer not in self._answers:  # its worker has been found lost meanwhile
            return
        row, take = self._answers.pop(answer)
        try:
            found = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError:  # a fault of this package, with its traceback
            raise
        except self._ray.exceptions.RayError as error:  # whatever ended the worker
            self._lose(row, " ".join(str(error).split()))
            return
        if isinstance(found, Fault):
            raise found.to_error()
        take(row, found)

    def _watch(self) -> None:
        """Ask what the workers do; while none runs a cell, check that one still can."""
        self._bars.tick()
        if monotonic() - self._watched < POLL:
            return
        self._watched = monotonic()
        asked = {row.number for row, take in self._answers.values() if take == self._on_doing}
        for row in self._rows:
            if row.worker is not None and row.number not in asked:
                doing = row.worker.describe.options(concurrency_group=WATCH).remote()
                self._ask(row, doing, self._on_doing)
        if all(row.cell is None for row in self._rows):
            nodes = list_nodes(self._ray)
            for row in self._rows:
                if row.worker is not None and not any(row.needs.count_room(n) for n in nodes):
                    raise ClusterError(
                        f"the cluster has lost every node with {row.needs}",
                        hint="Start one and run the same command again: finished cells are kept",
                    )

    def _on_doing(self, row: Row, doing: Doing) -> None:
        title = "" if row.cell is None else self._cells[row.cell].title
        if doing.title == title:  # else it is an answer of before this cell
            self._bars.show(row.number, doing)

    def _on_start(self, row: Row, node: str) -> None:
        row.node = node
        self._bars.write(f"worker {row.number + 1} has started on {node}")
        self._give(row)

    def _give(self, row: Row) -> None:
        """Give a worker its next cell: if possible one whose fit no other worker is computing,
        and one of the LLM that it holds open.
        """
        busy = {self._fits[other.cell] for other in self._rows if other.cell is not None}
        row.cell = min(
            (index for index in row.order if index in self._untried),
            key=lambda index: (self._fits[index] in busy, self._opens(row, index)),
            default=None,
        )
        if row.cell is None:
            self._end(row)
            self._bars.show(row.number, Doing("", "no cells left"))
            return
        self._untried.remove(row.cell)
        row.llm, row.losses = self._llms[row.cell] or row.llm, 0
        self._bars.show(row.number, Doing(self._cells[row.cell].title))
        again = self._losses[row.cell] > 0
        self._ask(row, row.worker.run.remote(row.cell, again=again), self._on_end)

    def _opens(self, row: Row, index: int) -> bool:
        """Whether a cell would make the worker close the LLM that it holds for another one."""
        return row.llm is not None and self._llms[index] not in {None, row.llm}

    def _on_end(self, row: Row, ended: Ended) -> None:
        index, state = row.cell, State(ended.state)
        assert index is not None  # noqa: S101
        if state == State.KEPT and self._losses[index]:  # its lost worker finished it after all
            state = State.DONE
        row.cell = None
        self._finish(index, state, ended.reason)
        self._give(row)

    def _finish(self, index: int, state: State, reason: str) -> None:
        self._found[index] = Outcome(self._cells[index], state, reason)
        self._report(self._found[index])

    def _lose(self, row: Row, reason: str) -> None:
        """A worker has ended, perhaps with its node: its cell is given to the next one."""
        where = f" on {row.node}" * bool(row.node)
        self._end(row)
        index, row.cell = row.cell, None
        doing = "starting" if index is None else self._cells[index].title
        self._bars.write(f"worker {row.number + 1}{where} was lost: {doing}: {reason}")
        line = f"lost  {doing}  its worker{where} has ended"
        self._console.print(line, style="yellow", soft_wrap=True)
        if index is None:
            row.losses += 1
            if row.losses >= MOST_LOSSES:
                if self._has_substitute(row):  # perhaps it is one node that is faulty
                    self._bars.show(row.number, Doing("", "given up"))
                    return
                raise ClusterError(
                    f"workers end before they run a cell ({reason})",
                    hint="Install the same pplug-bench on all nodes; Ray's logs say more",
                )
        else:
            self._losses[index] += 1
            if self._losses[index] < MOST_LOSSES:
                self._untried.add(index)
            else:
                self._give_up(index, f"it ended its worker {MOST_LOSSES} times ({reason})")
        if self._untried.intersection(row.order):
            self._start(row)

    def _has_substitute(self, row: Row) -> bool:
        """Whether a worker that has started can run the cells of this one too."""
        return any(other.needs == row.needs and other.node for other in self._rows)

    def _give_up(self, index: int, reason: str) -> None:
        folder = self._cells[index].folder
        with suppress(Busy), lock_cell(folder, self._cache):
            store.write_error(folder, f"{reason}\n")
        self._finish(index, State.FAILED, reason)


def list_nodes(ray: Any) -> list[Resources]:
    """What each living node has."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]
