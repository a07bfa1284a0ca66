"""The limits of a generated set: what who knows the user, or only the population, answers."""

from collections.abc import Mapping
from pathlib import Path

from tasks.common.errors import DataError
from tasks.data.document import read_json
from tasks.data.layout import SetName, SplitName, find_files
from tasks.task import Task

Bounds = Mapping[str, Mapping[str, str]]
"""Name of the limit ("oracle", "user-blind", "random") → example id → answer."""


def read_bounds(task: Task, root: Path, *, split: SplitName, set: SetName) -> Bounds:
    """What lies beside a set's outputs as `<set>_limits.json`; {} where there is no such file.

    Raises DataError where the file is damaged or not of that form.
    """
    path = find_files(task, root, split, set).questions.with_name(f"{set}_limits.json")
    if not path.exists():
        return {}
    value = read_json(path).value
    answers = value.values() if isinstance(value, dict) else [None]
    if not all(
        isinstance(limit, dict) and all(isinstance(answer, str) for answer in limit.values())
        for limit in answers
    ):
        raise DataError(
            'is no {"oracle": {id: output}, …}', file=path, hint="Generate the data again"
        )
    limits: Bounds = value
    return limits
