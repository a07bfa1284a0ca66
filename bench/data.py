"""A suite's datasets: files found, tables declared, or generated data; each is read once."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from bench.settings import DataSettings, Settings, Suite
from tasks import Dataset, Task
from tasks.common.errors import ConfigError, DataError
from tasks.common.files import content_key
from tasks.common.seeds import Seeds
from tasks.data.audit import check_labels
from tasks.data.bounds import Bounds, read_bounds
from tasks.data.finding import Finding
from tasks.data.findings import check_set
from tasks.data.layout import SetName, SplitName
from tasks.data.loading import fingerprint, read_set
from tasks.mini.world import WorldConfig
from tasks.table.auditing import check_table
from tasks.table.task import TableTask

T = TypeVar("T")
DECLARED = "tasks."
"""Before a declared task's name: the source of its data, as tables of bench.toml are named."""
ALWAYS_SHOWN = {"undated-histories", "tied-dates"}
"""Kinds of findings that tables repeat although they are no warning: methods rely on them."""
VALIDATION_CAP = 256
"""Most train queries that are held out for the dev loss."""


def name_sources(settings: Settings, suite: Suite, task: str) -> tuple[str, ...]:
    """The data sources of one of a suite's tasks: a declared task brings its own.

    Raises ConfigError where a registered task has none.
    """
    if task in settings.tasks:
        return (f"{DECLARED}{task}",)
    if not suite.data:
        raise ConfigError(
            f"the suite names no data for task {task!r}",
            hint='Add `data = "NAME"` to it, a [data.*] table; only tasks that [tasks.*] declares '
            "bring their own",
        )
    return suite.data


def open_sources(settings: Settings, suite: Suite) -> "dict[str, Data]":
    """Name → data source, of every source that a suite's cells name. Nothing is read yet."""
    found = {source: Data(settings, suite, source) for source in suite.data}
    for task in suite.tasks:
        if task in settings.tasks:
            found[f"{DECLARED}{task}"] = DeclaredData(settings, suite, task)
    return found


class Data:
    """One data source of a suite. Datasets are read at first use and kept in memory."""

    def __init__(self, settings: Settings, suite: Suite, source: str) -> None:
        self.settings, self.suite, self.name = settings, suite, source
        self.source = self._look_up(source)
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._fingerprints: dict[tuple[str, str], str] = {}
        self._reading: dict[str, tuple[Finding, ...]] = {}
        self._warnings: dict[str, tuple[str, ...]] = {}

    def _look_up(self, source: str) -> DataSettings:
        """The [data.*] table. Raises ConfigError if it is unknown."""
        return self.settings.source(source)

    @cached_property
    def root(self) -> Path:
        """The data folder. Generated data is written to the cache at first use.

        Raises DataError where the folder of a source is missing that says how to fill it.
        """
        source = self.source
        cache = self.settings.store.cache / "data"
        if source.root is not None:
            if source.fill is not None and not source.root.is_dir():
                raise DataError(
                    f"there is no such folder, which data source {self.name!r} names",
                    file=source.root,
                    hint=f"Fill it ({source.fill}), or set data.{self.name}.root to another folder",
                )
            return source.root
        if source.mini is not None:
            registered = [task for task in self.suite.tasks if task not in self.settings.tasks]
            return make_mini(cache, source.mini, registered, self.suite.split)
        return make_sample(cache, source.sample or 0)

    def bounds(self, task: type[Task]) -> Bounds:
        """The bounds that the data states for the evaluated set; {} where it states none."""
        suite = self.suite
        return read_bounds(task(), self.root, split=suite.split, set=suite.evaluate)

    def load(self, task: type[Task], set: SetName) -> Dataset:
        """One set of one task. Raises DataError where the files are missing or faulty."""
        if (task.name, set) not in self._datasets:
            self._datasets[task.name, set] = self._load(task, set)
        return self._datasets[task.name, set]

    def fingerprint(self, task: type[Task], set: SetName) -> str:
        """The hash of a set's content, a part of a cell's key; parses no file."""
        if (task.name, set) not in self._fingerprints:
            self._fingerprints[task.name, set] = self._fingerprint(task, set)
        return self._fingerprints[task.name, set]

    def warnings(self, task: type[Task]) -> tuple[str, ...]:
        """What may mislead a reader of scores on the suite's sets, as `bench data verify` says it.

        Raises DataError as `load` does.
        """
        if task.name not in self._warnings:
            sets = [self.load(task, set) for set in (self.suite.train, self.suite.evaluate)]
            found = [*self._reading.pop(task.name, ()), *self._check_labels(task)]
            for dataset in sets:
                found += check_set(task(), dataset, {}, self.suite.split)
            self._warnings[task.name] = tuple(
                dict.fromkeys(
                    f"{finding.kind}{f' [{finding.set}]' if finding.set else ''}: {finding.message}"
                    for finding in found
                    if finding.severity != "info" or finding.kind in ALWAYS_SHOWN
                )
            )
        return self._warnings[task.name]

    def _check_labels(self, task: type[Task]) -> Iterator[Finding]:
        return check_labels(task())

    def _load(self, task: type[Task], set: SetName) -> Dataset:
        loaded = self._read(read_set, task, set)
        self._reading[task.name] = (*self._reading.get(task.name, ()), *loaded.findings)
        return loaded.dataset

    def _fingerprint(self, task: type[Task], set: SetName) -> str:
        return self._read(fingerprint, task, set)

    def _read(self, reader: Callable[..., T], task: type[Task], set: SetName) -> T:
        """`reader`'s result for the suite's part of a set."""
        suite = self.suite
        return reader(
            task(),
            self.root,
            split=suite.split,
            set=set,
            limit=self._limit(set),
            known_faults=self.source.known_faults,
            dates=self.source.dates,
            cache=self.settings.store.cache,
        )

    def _limit(self, set: SetName) -> int | None:
        """How many of a set's queries the suite takes; None takes all."""
        return self.suite.train_limit if set == self.suite.train else self.suite.evaluate_limit

    @property
    def watches_dev(self) -> bool:
        """Whether methods monitor the official dev set during training, see `training`."""
        return "dev" not in (self.suite.evaluate, self.suite.train)

    def training(self, task: type[Task]) -> tuple[Dataset, Dataset | None]:
        """(dataset to fit on, dataset to monitor or None).

        A method monitors the official dev set only where another set is scored. Otherwise
        `validation_share` of the train queries are held out, chosen by their ids alone.

        Raises DataError for a train set without golds.
        """
        train = self.load(task, self.suite.train)
        if train.golds is None:
            raise DataError(
                f"the {train.set} set of {task.name} has no golds to learn from",
                file=self.root,
                hint="Name a set with outputs as `train` in the suite",
            )
        if self.watches_dev:
            return train, self.load(task, "dev")
        wanted = min(VALIDATION_CAP, int(len(train) * self.suite.validation_share))
        if wanted == 0:
            return train, None
        seeds = Seeds.root("validation", task.name)
        order = sorted(train.examples, key=lambda example: seeds.seed(example.id))
        held_out = {example.id for example in order[:wanted]}
        return _select(train, held_out, keep=False), _select(train, held_out, keep=True)


class DeclaredData(Data):
    """The data of a task that bench.toml declares by a table."""

    def _look_up(self, source: str) -> DataSettings:  # noqa: ARG002
        return DataSettings.model_construct()  # neither a folder nor generated

    @cached_property
    def root(self) -> Path:
        raise NotImplementedError("a declared task's data lie in no folder")

    def bounds(self, task: type[Task]) -> Bounds:  # noqa: ARG002
        return {}

    def _check_labels(self, task: type[Task]) -> Iterator[Finding]:  # noqa: ARG002
        return iter(())  # `check_table` counts them in the file

    def _load(self, task: type[Task], set: SetName) -> Dataset:
        self._reading[task.name] = tuple(check_table(_narrow(task).data))
        return _narrow(task).data.load(_narrow(task)(), set, self._limit(set))

    def _fingerprint(self, task: type[Task], set: SetName) -> str:
        return _narrow(task).data.fingerprint(set, self._limit(set))


def _narrow(task: type[Task]) -> type[TableTask]:
    assert issubclass(task, TableTask)  # noqa: S101  `Settings.task` makes it
    return task


def _select(dataset: Dataset, ids: set[str], *, keep: bool) -> Dataset:
    """The examples among `ids` (keep=True), or all others (keep=False)."""
    examples = tuple(example for example in dataset.examples if (example.id in ids) == keep)
    golds = dataset.golds and {example.id: dataset.golds[example.id] for example in examples}
    return dataclasses.replace(dataset, examples=examples, golds=golds)


def make_sample(cache: Path, seed: int) -> Path:
    """The folder with the small sample of a seed, written unless it is there undamaged.

    Raises StorageError where the cache can't be written.
    """
    from methods.cache.folders import make_once
    from tasks.sample.grammars import GRAMMARS
    from tasks.sample.writer import VERSION, write_sample

    # A cache of before a task was added holds the same files for all others, and none for it.
    folder = cache / f"sample-{VERSION}-{seed}-{len(GRAMMARS)}"
    return make_once(folder, lambda part: write_sample(part, seed=seed), made_alike=True)


def make_mini(cache: Path, world: WorldConfig, tasks: Sequence[str], split: SplitName) -> Path:
    """The folder with a LaMP-mini world's files of some tasks, written unless it is there whole.

    Raises:
        ConfigError: a task that LaMP-mini doesn't have.
        StorageError: the cache can't be written.
    """
    from methods.cache.folders import make_once
    from tasks.mini.world import VERSION, write_world

    about = [VERSION, world.model_dump(), split, sorted(tasks)]
    return make_once(
        cache / f"mini-{content_key(about, length=12)}",
        lambda part: write_world(part, world, tasks=tasks, splits=[split]),
        made_alike=True,
    )
