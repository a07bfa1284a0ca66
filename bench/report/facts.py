"""What was compared, as short facts."""

from bench.grid import Grid
from bench.report.model import Series
from bench.report.stored import Finished
from bench.settings import Settings
from bench.tables.model import RowKey, Table


def list_facts(
    settings: Settings, grid: Grid, table: Table, series: dict[RowKey, Series], finished: Finished
) -> list[tuple[str, str]]:
    """(name, value) pairs for the top of the page."""
    _, suite = settings.suite(grid.suite)
    methods = [s for s in series.values() if not s.bound]
    bounds = len(series) - len(methods)
    tasks = list(dict.fromkeys(cell.task.name for cell in grid.cells))
    sizes = sorted({column.n for column in table.columns})
    queries = "–" if not sizes else f"{sizes[0]:,}"
    if len(sizes) > 1:
        queries += f"–{sizes[-1]:,}"
    days = sorted(record.started[:10] for _, record in finished.cells)
    facts = [
        (
            "Methods",
            f"{len(methods)}{f', and {bounds} bound' if bounds else ''}{'s' * (bounds > 1)}",
        ),
        ("Tasks", f"{len(tasks)}: {', '.join(tasks)}"),
        ("Queries a task", f"{queries} ({suite.evaluate} set, {suite.split} split)"),
        ("Data", ", ".join(suite.data)),
        ("LLM", ", ".join(suite.llms) or "none"),
        ("Prompt budget", ", ".join(f"{budget} tokens" for budget in suite.budgets)),
        ("Seeds", f"{len(suite.seeds)} ({', '.join(map(str, suite.seeds))})"),
        ("Reference", suite.reference),
    ]
    if days:
        facts.append(("Run", days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"))
    return facts
