"""`bench check`: every conformance check on one method, with tiny models."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.conformance.runner import check
from bench.conformance.subject import CheckResult
from bench.conformance.tiny_runtime import tiny_runtimes
from bench.data import Data
from bench.rows import resolve_options
from bench.settings import Settings
from methods import METHODS
from tasks import TASKS, Dataset, Task
from tasks.common.errors import DataError
from tasks.data.layout import SplitName, find_files
from tasks.data.loading import load_dataset
from tasks.sample.grammar import has_sample
from tasks.sample.writer import write_sample

TRAIN_EXAMPLES, DEV_EXAMPLES = 8, 6


def check_method(
    settings: Settings, variant: str, tasks: Sequence[str] = (), source: str | None = None
) -> Iterator[tuple[str, CheckResult]]:
    """Yield (task, result) of every check on a variant, for each task that it applies to.

    Args:
        tasks: names; all tasks if empty.
        source: the [data.*] table whose first train and dev examples are used. None: the generated
            sample, which has data of LaMP's tasks only.

    Raises:
        ConfigError: an unknown method, variant, task or data source.
        DataError: the source lacks a task in `tasks`, or its files are faulty.
    """
    name, options = resolve_options(settings, variant)
    method = METHODS.get(name)
    with tempfile.TemporaryDirectory(prefix="bench-check-") as place:
        folder = Path(place)
        if source is None:
            write_sample(folder / "data")
        for task_name in tasks or TASKS.names():
            task = TASKS.get(task_name)()
            if not method.applicable(type(task)):
                if tasks:  # named on the command line: say why nothing is checked
                    yield task_name, _skip("not applicable")
                continue
            if source is None and not has_sample(type(task)):
                yield task_name, _skip("no sample data (give --data SOURCE)")
                continue
            try:
                if source is None:
                    train, dev = _load(task, folder / "data", "time")
                else:
                    train, dev = _load_source(settings, source, task)
            except _NoFilesError as missing:
                if tasks:
                    raise missing.error from missing
                yield task_name, _skip(f"no data in [data.{source}]")
                continue
            results = check(
                name,
                options,
                task=task,
                train=train,
                dev=dev,
                make_runtime=tiny_runtimes(task, folder),
            )
            yield from ((task_name, result) for result in results)


class _NoFilesError(Exception):
    """The source has no train and dev files of the task; `error` says where they would be."""

    def __init__(self, error: DataError) -> None:
        super().__init__(str(error))
        self.error = error


def _skip(reason: str) -> CheckResult:
    """A task on which nothing is checked."""
    return CheckResult("", passed=True, detail=reason, skipped=True)


def _load_source(settings: Settings, source: str, task: Task) -> tuple[Dataset, Dataset]:
    """The first examples of a [data.*] table, in whichever split it has, "time" first."""
    _, suite = settings.suite(None)
    suite = suite.model_copy(update={"tasks": (task.name,), "split": "time"})
    root = Data(settings, suite, source).root
    splits: tuple[SplitName, ...] = ("time", "user")
    missing: list[DataError] = []
    for split in splits:
        try:
            for set in ("train", "dev"):
                find_files(task, root, split, set)
        except DataError as error:
            missing.append(error)
        else:
            return _load(task, root, split)
    raise _NoFilesError(missing[0])


def _load(task: Task, root: Path, split: SplitName) -> tuple[Dataset, Dataset]:
    return (
        load_dataset(task, root, split=split, set="train", limit=TRAIN_EXAMPLES),
        load_dataset(task, root, split=split, set="dev", limit=DEV_EXAMPLES),
    )
