"""`bench check`: every conformance check on one method, with tiny models."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from bench.conformance.runner import check
from bench.conformance.subject import CheckResult
from bench.conformance.tiny_runtime import tiny_runtimes
from bench.data import Data
from bench.rows import resolve_options
from bench.settings import Settings
from methods import METHODS, Method
from tasks import TASKS, Dataset, Task
from tasks.common.errors import ConfigError, DataError
from tasks.data.layout import SplitName, find_files
from tasks.data.loading import load_dataset
from tasks.sample.grammars import has_sample
from tasks.sample.writer import write_sample
from tasks.table.task import TableTask

TRAIN_EXAMPLES, DEV_EXAMPLES = 8, 6


def check_method(
    settings: Settings, variant: str, tasks: Sequence[str] = (), source: str | None = None
) -> Iterator[tuple[str, CheckResult]]:
    """Yield (task, result) of every check on a variant, for each task that it applies to.

    Args:
        tasks: names; all tasks if empty.
        source: the [data.*] table whose first train and dev examples are used. None: a declared
            task's own table; for LaMP's tasks the generated sample; for other tasks the first
            [data.*] folder that has them.

    Raises:
        ConfigError: an unknown method, variant, task or data source.
        DataError: there are no files of a task in `tasks`, or they are faulty.
    """
    name, options = resolve_options(settings, variant)
    method = METHODS.get(name)
    with tempfile.TemporaryDirectory(prefix="bench-check-") as place:
        folder = Path(place)
        config = method.parse_config(options, f"[methods.{variant}]")
        several = method.trains_on(config) != "task"
        if source is None or several:
            write_sample(folder / "data")
        for task_name in tasks or settings.task_names():
            task = settings.task(task_name)()
            if not method.applicable(type(task)):
                if tasks:  # named on the command line: say why nothing is checked
                    yield task_name, _skip("not applicable")
                continue
            try:
                train, dev = _load_any(settings, source, task, folder / "data")
            except _NoFilesError as missing:
                if tasks:
                    raise missing.error from missing
                yield task_name, _skip(f"no data in [data.{source}]" if source else "no data")
                continue
            results = check(
                name,
                options,
                task=task,
                train=train,
                dev=dev,
                make_runtime=tiny_runtimes(
                    task, folder, _load_other(method, task, folder / "data") if several else None
                ),
            )
            yield from ((task_name, result) for result in results)


def _load_other(
    method: type[Method], task: Task, sample: Path
) -> dict[type[Task], tuple[Dataset, Dataset]]:
    """A second task of the sample, for a method that is trained on several: its train and dev."""
    for name in TASKS.names():
        other = TASKS.get(name)
        if other is not type(task) and method.applicable(other) and has_sample(other):
            return {other: _load(other(), sample, "time")}
    raise ConfigError(
        f"{method.name} is trained on several tasks, and applies to no second one of the sample",
        hint="Run it in a suite of the tasks that it applies to",
    )


class _NoFilesError(Exception):
    """The source has no train and dev files of the task; `error` says where they would be."""

    def __init__(self, error: DataError) -> None:
        super().__init__(str(error))
        self.error = error


def _skip(reason: str) -> CheckResult:
    """A task on which nothing is checked."""
    return CheckResult("", passed=True, detail=reason, skipped=True)


def _load_any(
    settings: Settings, source: str | None, task: Task, sample: Path
) -> tuple[Dataset, Dataset]:
    """Train and dev examples from wherever there are some. Raises _NoFilesError."""
    if isinstance(task, TableTask):
        data = task.data
        return data.load(task, "train", TRAIN_EXAMPLES), data.load(task, "dev", DEV_EXAMPLES)
    if source is not None:
        return _load_source(settings, source, task)
    if has_sample(type(task)):
        return _load(task, sample, "time")
    for name, table in settings.data.items():
        if table.root is not None:
            with suppress(_NoFilesError):
                return _load_source(settings, name, task)
    raise _NoFilesError(
        DataError(
            f"no [data.*] table of bench.toml has a train and a dev set of {task.name}",
            hint='Add one with root = "…", the folder that holds time/ or user/',
        )
    )


def _load_source(settings: Settings, source: str, task: Task) -> tuple[Dataset, Dataset]:
    """The first examples of a [data.*] table, in whichever split it has, "time" first."""
    _, suite = settings.suite(None)
    suite = suite.model_copy(update={"tasks": (task.name,), "split": "time"})
    try:
        root = Data(settings, suite, source).root
    except DataError as error:
        raise _NoFilesError(error) from error
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
