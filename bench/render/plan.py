"""What `bench plan` shows: a grid of methods and tasks, or the flat list of cells."""

from collections.abc import Iterator, Mapping

from rich.console import Console

from bench import store
from bench.estimate import Estimate, format_duration
from bench.grid import Cell, Grid
from bench.render.sheets import ABSENT, Field, Sheet, label_names, make_labels
from bench.render.terminal import print_sheet
from bench.tables.model import RowKey

DONE, FAILED, LEFT = "done", "failed", "left"
COLORS = {DONE: "green", FAILED: "red", LEFT: ""}


def find_state(cell: Cell) -> str:
    """Whether a cell is done, failed or left to run."""
    if store.is_done(cell.folder):
        return DONE
    return FAILED if store.error_file(cell.folder).is_file() else LEFT


def make_plan_sheet(grid: Grid) -> Sheet:
    """Methods by tasks: done cells of all (seeds), and how many failed."""
    groups: dict[RowKey, dict[str, list[str]]] = {}
    for cell in grid.cells:
        of_row = groups.setdefault(RowKey.of(cell), {})
        of_row.setdefault(cell.place, []).append(find_state(cell))
    for method, _ in grid.inapplicable:  # a method that no task suits has no cell
        if method not in {key.method for key in groups}:
            groups[RowKey(method, None, None)] = {}
    for method, llm in grid.without_weights:
        groups.setdefault(RowKey(method, llm, None), {})
    names = label_names(groups)
    places = list(dict.fromkeys(cell.place for cell in grid.cells))
    return Sheet(
        f"{grid.suite}: cells done of all, f failed, {ABSENT} not applicable",
        names,
        tuple((place, "") for place in places),
        tuple(
            (
                make_labels(names, key),
                tuple(_count(of_row.get(place, [])) for place in places),
            )
            for key, of_row in groups.items()
        ),
    )


def _count(states: list[str]) -> Field:
    if not states:
        return Field(ABSENT)
    done, failed = states.count(DONE), states.count(FAILED)
    state = FAILED if failed else DONE if done == len(states) else LEFT
    return Field(f"{done}/{len(states)}{f' f{failed}' * bool(failed)}", color=COLORS[state])


def print_plan(grid: Grid, console: Console) -> None:
    """Print the grid of methods and tasks."""
    print_sheet(make_plan_sheet(grid), console)


def summarize(grid: Grid, estimate: Estimate, workers: int | None) -> str:
    """One line: how many cells are in which state, and how long the rest will take.

    Args:
        workers: that the estimate is of; None: of one, where more may share the cells.
    """
    states = [find_state(cell) for cell in grid.cells]
    counts = ", ".join(f"{states.count(state)} {state}" for state in (DONE, FAILED, LEFT))
    text = f"{len(states)} cell{'s' * (len(states) != 1)}: {counts}"
    remaining = len(states) - states.count(DONE)
    if not remaining:
        return text
    if estimate.unknown == remaining:
        return f"{text}; no estimate of the time left until cells of these methods are done"
    text += f"; about {format_duration(estimate.seconds)} left"
    if workers is None:
        text += " for one worker"
    elif workers > 1:
        text += f" with {workers} workers"
    if estimate.unknown == 1:
        text += ", not counting 1 cell of a method without finished cells"
    elif estimate.unknown:
        text += f", not counting {estimate.unknown} cells of methods without finished cells"
    return text


def list_cells(grid: Grid, reasons: Mapping[str, str]) -> Iterator[str]:
    """One line per cell: state, key and title, and why it must run again (key → reason)."""
    for cell in grid.cells:
        reason = f": differs in {reasons[cell.key]}" if cell.key in reasons else ""
        yield f"{find_state(cell):6} {cell.key}  {cell.title}{reason}"
    for method, task in grid.inapplicable:
        yield f"not applicable: {method} on {task}"
    for method, llm in grid.without_weights:
        yield f"not applicable: {method} with {llm}: needs weights"
