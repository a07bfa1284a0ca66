"""A suite's stored results → one HTML page."""

from pathlib import Path

from bench.grid import Grid
from bench.output import write_output
from bench.render import make_sheets
from bench.report.answer import write_answer
from bench.report.caveats import list_caveats
from bench.report.charts.files import require_matplotlib
from bench.report.examples import MOST, collect_examples
from bench.report.facts import list_facts
from bench.report.figures import Material, make_figures
from bench.report.page import Content, render
from bench.report.scoreboard import make_scoreboard
from bench.report.series import make_series
from bench.report.stored import Finished
from bench.settings import Settings
from bench.tables import build


def write_report(
    settings: Settings,
    grid: Grid,
    out: Path,
    *,
    examples: int = MOST,
    unequal_terms: bool = False,
) -> None:
    """Write a suite's report to `out`, replacing an earlier one.

    Args:
        examples: most examples of a task; 0 leaves all texts out.
        unequal_terms: also show cells in which an LLM ran under other terms, and say so.

    Raises:
        ConfigError: matplotlib is missing, or the cells' terms differ.
        StorageError: a stored file is damaged, or `out` can't be written.
    """
    write_output(out, make_report(settings, grid, examples=examples, unequal_terms=unequal_terms))


def make_report(
    settings: Settings, grid: Grid, *, examples: int = MOST, unequal_terms: bool = False
) -> str:
    """A suite's report as HTML, see `write_report`."""
    require_matplotlib()
    _, suite = settings.suite(grid.suite)
    table = build(settings, grid, allow_unequal=unequal_terms)
    series = make_series(table, grid)
    finished = Finished(settings, grid)
    material = Material(settings, grid, table, series, finished)
    return render(
        Content(
            title=grid.suite,
            about=suite.about,
            facts=list_facts(settings, grid, table, series, finished),
            answer=write_answer(table, series, several_sources=len(suite.data) > 1),
            caveats=list_caveats(grid, table, series, finished),
            board=make_scoreboard(table, series),
            figures=make_figures(material),
            sheets=make_sheets(table, intervals=True),
            notes=table.notes,
            confidence=settings.scoring.confidence,
            reference=table.reference,
            examples=collect_examples(finished, series, examples) if examples else None,
        )
    )
