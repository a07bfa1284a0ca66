"""The note on tuning effort: how many settings of each method were compared beforehand."""

from collections.abc import Iterator, Sequence

from bench.settings import Suite
from bench.tables.model import Row
from methods.core.controls import SEPARATOR


def state_effort(suite: Suite, rows: Sequence[Row]) -> Iterator[str]:
    """The suite's `trials`, by number, with the methods that got none; nothing where it has none.

    A control shares its method's settings and is not listed.
    """
    if not suite.trials:
        return
    methods = dict.fromkeys(row.method for row in rows if SEPARATOR not in row.method)
    of_number: dict[int, list[str]] = {}
    for method in methods:
        of_number.setdefault(suite.trials.get(method, 0), []).append(method)
    parts = [
        f"{number or 'none'} of {', '.join(names)}"
        for number, names in sorted(of_number.items(), reverse=True)
    ]
    yield f"settings compared beforehand to choose those of this suite: {'; '.join(parts)}"
