"""Which options of a table's rows differ from the shipped ones: a name alone doesn't show them."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from bench.grid import Cell, Grid
from bench.rows import resolve_row
from bench.settings import Settings, Suite
from bench.settings.loading import load_shipped
from methods.core.controls import SEPARATOR
from tasks.common.errors import ConfigError

Options = dict[str, Any]
NO_SUITE = Suite(data=("",), tasks=("",), methods=("",))
"""Changes no option."""
MOST = 8
"""Options of a row that are listed."""


def describe_changed_options(grid: Grid) -> Iterator[str]:
    """One note per row whose options are not those that its suite and variant are shipped with.

    A suite of one's own is compared with the variants alone, a variant of one's own with its
    method.
    """
    shipped = load_shipped()
    changes: dict[str, dict[str, list[str]]] = {}
    rows: dict[tuple[str, str], Cell] = {}
    for cell in grid.cells:
        rows.setdefault((cell.variant, cell.task.name), cell)  # its seeds have the same options
    for cell in rows.values():
        if SEPARATOR in cell.variant:
            continue
        usual = _resolve_shipped(shipped, grid.suite, cell)
        own = _flatten(cell.config.model_dump(mode="json"))
        changed = [
            f"{name}={_format(value)}"
            for name, value in own.items()
            if name not in usual or usual[name] != value
        ]
        more = len(changed) - MOST
        text = ", ".join(changed[:MOST]) + (f" and {more} more (cell.json)" if more > 0 else "")
        tasks = changes.setdefault(cell.variant, {}).setdefault(text, [])
        if cell.task.name not in tasks:
            tasks.append(cell.task.name)
    for variant, texts in changes.items():
        where = {
            text: f" on {', '.join(tasks)}" * (len(texts) > 1) for text, tasks in texts.items()
        }
        stated = [f"{text}{where[text]}" for text in texts if text]
        if stated:
            yield f"{variant} has options of its own: {'; '.join(stated)}"


def _resolve_shipped(shipped: Settings, suite: str, cell: Cell) -> Options:
    """The options that a row has without the user's settings, as "training.epochs" → value."""
    own_suite = shipped.suites.get(suite, NO_SUITE)
    try:
        config = resolve_row(shipped, own_suite, cell.variant, cell.task.name).config
    except ConfigError:  # a variant of one's own
        try:
            config = cell.method.Config()
        except ValidationError:  # it has options without a default
            return {}
    return _flatten(config.model_dump(mode="json"))


def _flatten(options: Options, above: str = "") -> Options:
    found: Options = {}
    for name, value in options.items():
        deeper = isinstance(value, dict) and value
        found |= _flatten(value, f"{above}{name}.") if deeper else {f"{above}{name}": value}
    return found


def _format(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
