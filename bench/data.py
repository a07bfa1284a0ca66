"""The splits of a suite: found, generated at first use, read once."""

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
"""Most queries that are kept from training for the dev loss."""


class Data:
    """One data source of a suite. Splits are read at first use and kept."""

    def __init__(self, settings: Settings, suite: Suite, source: str) -> None:
        self.settings, self.suite, self.source = settings, suite, settings.source(source)
        self._splits: dict[tuple[str, str], Dataset] = {}
        self._fingerprints: dict[tuple[str, str], str] = {}

    @cached_property
    def root(self) -> Path:
        """The data folder; what is generated is written to the cache at first use."""
        source = self.source
        cache = self.settings.store.cache / "data"
        if source.root is not None:
            return source.root
        if source.mini is not None:
            return mini_folder(cache, source.mini, self.suite)
        return sample_folder(cache, source.sample or 0)

    def bounds(self, task: type[Task]) -> Bounds:
        """What the data says of the limits of the evaluated set; {} for data without."""
        suite = self.suite
        return read_bounds(task(), self.root, split=suite.split, set=suite.evaluate)

    def split(self, task: type[Task], set: SetName) -> Dataset:
        """One set of one task. Raises DataError where the files are missing or faulty."""
        if (task.name, set) not in self._splits:
            self._splits[task.name, set] = self._asked(load_dataset, task, set)
        return self._splits[task.name, set]

    def fingerprint(self, task: type[Task], set: SetName) -> str:
        """The hash of a set's content, as it stands in a cell's key; parses nothing."""
        if (task.name, set) not in self._fingerprints:
            self._fingerprints[task.name, set] = self._asked(fingerprint, task, set)
        return self._fingerprints[task.name, set]

    def _asked(self, of: Callable[..., T], task: type[Task], set: SetName) -> T:
        """What `of` says of the part of a set that the suite asks for."""
        suite = self.suite
        return of(
            task(),
            self.root,
            split=suite.split,
            set=set,
            limit=suite.train_limit if set == suite.train else suite.evaluate_limit,
            known_faults=self.source.known_faults,
        )

    @property
    def watches_dev(self) -> bool:
        """Whether a method watches the official dev set while it is fitted, see `training`."""
        return "dev" not in (self.suite.evaluate, self.suite.train)

    def training(self, task: type[Task]) -> tuple[Dataset, Dataset | None]:
        """(what a method may fit on, what it may watch).

        The official dev set serves to watch only when it isn't the set that is scored; otherwise
        some train queries are set aside, chosen by their ids alone.
        """
        train = self.split(task, self.suite.train)
        if train.golds is None:
            raise DataError(
                f"the {train.set} set of {task.name} has no golds: nothing can be learned from it",
                file=self.root,
                hint="Name a set with outputs as `train` in the suite",
            )
        if self.watches_dev:
            return train, self.split(task, "dev")
        wanted = min(VALIDATION_CAP, int(len(train) * self.suite.validation_share))
        if wanted == 0:
            return train, None
        seeds = Seeds.root("validation", task.name)
        order = sorted(train.examples, key=lambda example: seeds.seed(example.id))
        aside = {example.id for example in order[:wanted]}
        return _part(train, aside, keep=False), _part(train, aside, keep=True)


def _part(split: Dataset, ids: set[str], *, keep: bool) -> Dataset:
    examples = tuple(example for example in split.examples if (example.id in ids) == keep)
    golds = split.golds and {example.id: split.golds[example.id] for example in examples}
    return dataclasses.replace(split, examples=examples, golds=golds)


def sample_folder(cache: Path, seed: int) -> Path:
    """The small sample of a seed. Raises StorageError where the cache can't be written."""
    from methods.cache.folders import make_once
    from tasks.sample.writer import VERSION, write_sample

    folder = cache / f"sample-{VERSION}-{seed}"
    return make_once(folder, lambda part: write_sample(part, seed=seed))


def mini_folder(cache: Path, world: WorldConfig, suite: Suite) -> Path:
    """The LaMP-mini files that a suite asks for. Raises StorageError, and ConfigError for a task
    that LaMP-mini hasn't.
    """
    from methods.cache.folders import make_once
    from tasks.mini.world import VERSION, write_world

    about = [VERSION, world.model_dump(), suite.split, sorted(suite.tasks)]
    return make_once(
        cache / f"mini-{content_key(about, length=12)}",
        lambda part: write_world(part, world, tasks=suite.tasks, splits=[suite.split]),
    )
