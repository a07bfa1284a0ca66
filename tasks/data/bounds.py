"""Bounds of a generated set: answers given with full, population-level or no knowledge of users."""

from collections.abc import Mapping
from pathlib import Path

from tasks.common.errors import DataError
from tasks.data.document import read_json
from tasks.data.layout import SetName, SplitName, find_files
from tasks.task import Task

Bounds = Mapping[str, Mapping[str, str]]
"""Name of the bound ("oracle", "user-blind" or "random") → example id → answer."""


def read_bounds(task: Task, root: Path, *, split: SplitName, set: SetName) -> Bounds:
    """Read `<set>_limits.json`, which generated data keeps next to the set's questions.

    Returns {} if there is no such file. Raises DataError if it is damaged.
    """
    path = find_files(task, root, split, set).questions.with_name(f"{set}_limits.json")
    if not path.exists():
        return {}
    value = read_json(path).value
    bounds = value.values() if isinstance(value, dict) else [None]
    if not all(
        isinstance(bound, dict) and all(isinstance(answer, str) for answer in bound.values())
        for bound in bounds
    ):
        raise DataError(
            'is not of the form {"oracle": {id: output}, …}',
            file=path,
            hint="Generate the data again, or delete this file",
        )
    answers: Bounds = value
    return answers
