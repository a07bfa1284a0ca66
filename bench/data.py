"""A suite's datasets: files found, or generated at first use; each dataset is read once."""

import dataclasses
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from bench.settings import Settings, Suite
from tasks import Dataset, Task
from tasks.common.errors import DataError
from tasks.common.files import content_key
from tasks.common.seeds import Seeds
from tasks.data.bounds import Bounds, read_bounds
from tasks.data.layout import SetName
from tasks.data.loading import fingerprint, load_dataset
from tasks.mini.world import WorldConfig

T = TypeVar("T")
VALIDATION_CAP = 256
"""Most train queries that are held out for the dev loss."""


class Data:
    """One data source of a suite. Datasets are read at first use and kept in memory."""

    def __init__(self, settings: Settings, suite: Suite, source: str) -> None:
        self.settings, self.suite, self.source = settings, suite, settings.source(source)
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._fingerprints: dict[tuple[str, str], str] = {}

    @cached_property
    def root(self) -> Path:
        """The data folder. Generated data is written to the cache at first use."""
        source = self.source
        cache = self.settings.store.cache / "data"
        if source.root is not None:
            return source.root
        if source.mini is not None:
            return make_mini(cache, source.mini, self.suite)
        return make_sample(cache, source.sample or 0)

    def bounds(self, task: type[Task]) -> Bounds:
        """The bounds that the data states for the evaluated set; {} where it states none."""
        suite = self.suite
        return read_bounds(task(), self.root, split=suite.split, set=suite.evaluate)

    def load(self, task: type[Task], set: SetName) -> Dataset:
        """One set of one task. Raises DataError where the files are missing or faulty."""
        if (task.name, set) not in self._datasets:
            self._datasets[task.name, set] = self._read(load_dataset, task, set)
        return self._datasets[task.name, set]

    def fingerprint(self, task: type[Task], set: SetName) -> str:
        """The hash of a set's content, a part of a cell's key; parses no file."""
        if (task.name, set) not in self._fingerprints:
            self._fingerprints[task.name, set] = self._read(fingerprint, task, set)
        return self._fingerprints[task.name, set]

    def _read(self, reader: Callable[..., T], task: type[Task], set: SetName) -> T:
        """`reader`'s result for the suite's part of a set."""
        suite = self.suite
        return reader(
            task(),
            self.root,
            split=suite.split,
            set=set,
            limit=suite.train_limit if set == suite.train else suite.evaluate_limit,
            known_faults=self.source.known_faults,
        )

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
    from tasks.sample.writer import VERSION, write_sample

    folder = cache / f"sample-{VERSION}-{seed}"
    return make_once(folder, lambda part: write_sample(part, seed=seed), made_alike=True)


def make_mini(cache: Path, world: WorldConfig, suite: Suite) -> Path:
    """The folder with a LaMP-mini world's files for a suite's tasks.

    Written unless it is there undamaged.

    Raises:
        ConfigError: a task that LaMP-mini doesn't have.
        StorageError: the cache can't be written.
    """
    from methods.cache.folders import make_once
    from tasks.mini.world import VERSION, write_world

    about = [VERSION, world.model_dump(), suite.split, sorted(suite.tasks)]
    return make_once(
        cache / f"mini-{content_key(about, length=12)}",
        lambda part: write_world(part, world, tasks=suite.tasks, splits=[suite.split]),
        made_alike=True,
    )
