"""The other tasks of a suite, for methods that are trained on several."""

from bench.data import Data, name_sources, open_sources
from bench.key import TaskKey
from bench.rows import Row
from bench.settings import Settings, Suite
from methods import Method, MethodConfig
from methods.core.task_group import TaskData, TaskGroup, choose_tasks
from tasks import Task
from tasks.common.errors import ConfigError, DataError
from tasks.common.seeds import Seeds

SHARED = "several tasks"
"""Stands for a task's name in the seeds of what is trained on several."""


def list_tasks(settings: Settings, suite: Suite, method: type[Method]) -> dict[str, str]:
    """Registered name → name in the suite, of each task of the suite that a method applies to."""
    tasks = {name: settings.task(name, suite.split) for name in suite.tasks}
    return {task.name: name for name, task in tasks.items() if method.applicable(task)}


def find_training_keys(
    settings: Settings, source: str, data: Data, task: type[Task], row: Row
) -> tuple[TaskKey, ...]:
    """What the row's `fit` learns from if not from its own task alone; else ().

    Args:
        source, data: of the task that the row is asked on.

    Raises:
        ConfigError: the suite has no other task, or it isn't clear which data of it are meant.
        DataError: another task's data can't be read.
    """
    suite = data.suite
    trains_on = row.method.trains_on(row.config)
    if trains_on == "task":
        return ()
    names = list_tasks(settings, suite, row.method)
    found = []
    for name in choose_tasks(trains_on, task.name, tuple(names)):
        other = settings.task(names[name], suite.split)
        try:
            own = _open_data(settings, source, data, names[name])
            train = own.fingerprint(other, suite.train)
            watched = own.fingerprint(other, "dev") if own.watches_dev else None
        except DataError as error:
            raise DataError(
                f"{error.what} ({row.name} is trained on {name} too)",
                hint=error.hint,
                file=error.file,
                id=error.id,
            ) from error
        found.append(TaskKey(name, other.version, train, watched, other.words))
    return tuple(found)


def make_group(
    settings: Settings,
    source: str,
    data: Data,
    method: type[Method],
    config: MethodConfig,
    seed: int,
) -> TaskGroup | None:
    """The suite's tasks, whose data are read when the method asks for them.

    None for a method that is trained on its own task.
    """
    suite = data.suite
    if method.trains_on(config) == "task":
        return None
    names = list_tasks(settings, suite, method)

    def load(name: str) -> TaskData:
        task = settings.task(names[name], suite.split)
        own = _open_data(settings, source, data, names[name])
        train, dev = own.training(task)
        population = own.load(task, suite.train).examples
        return TaskData(task(), Seeds.root(task.name, seed), train, dev, population)

    return TaskGroup(tuple(names), Seeds.root(SHARED, seed), load)


def _open_data(settings: Settings, source: str, data: Data, task: str) -> Data:
    """The data of one of the suite's tasks: of the same source where it has several."""
    sources = name_sources(settings, data.suite, task)
    if source in sources:
        return data
    if len(sources) > 1:
        raise ConfigError(
            f"a method is trained on {task} too, whose data could be {' or '.join(sources)}",
            hint="Name one data source in the suite",
        )
    return open_sources(settings, data.suite)[sources[0]]
