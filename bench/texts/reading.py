"""The stored texts of a suite's generation tasks, with the examples that they answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.data import open_sources
from bench.grid import Grid
from bench.settings import ScoringSettings, Settings
from bench.slices.build import require_same_examples
from bench.slices.stored import StoredRow, check_row_terms, read_rows
from bench.statistics import Comparison, Sample, compare, correct, estimate, partition
from bench.statistics.clusters import Floats
from bench.statistics.sample import Reduce
from bench.tables.model import RowKey
from bench.texts.model import GOLD, TextScore
from tasks import Behavior, Example, Task
from tasks.common.errors import ConfigError
from tasks.task import Kind

Texts = tuple[str | None, ...]
"""A text for each example; None where the method failed."""


@dataclass(frozen=True)
class TextRow:
    """One row's texts.

    Attributes:
        key: what the row is.
        by_seed: the texts of each seed, in the order of the place's examples.
        seeds: the seed of each.
        seeded: whether another seed can change them.
        folders: of the cells, one for each seed; () for human texts.
    """

    key: RowKey
    by_seed: tuple[Texts, ...]
    seeds: tuple[int, ...] = (0,)
    seeded: bool = False
    folders: tuple[Path, ...] = ()

    @property
    def n_failed(self) -> int:
        """Failed answers, summed over seeds."""
        return sum(text is None for texts in self.by_seed for text in texts)


@dataclass(frozen=True)
class TextPlace:
    """One generation task of one data source.

    Attributes:
        name: the task, with the name of the data source where the suite has several.
        task: its class.
        examples, golds: [n] what was asked, and the users' own texts.
        rows: every row that answered, in the suite's order.
    """

    name: str
    task: type[Task]
    examples: tuple[Example, ...]
    golds: tuple[str, ...]
    rows: tuple[TextRow, ...]

    @property
    def users(self) -> tuple[str, ...]:
        """[n] whose each example is."""
        return tuple(example.user_id for example in self.examples)

    @property
    def gold(self) -> TextRow:
        """The users' own texts, as a row."""
        return human_row(GOLD, self.golds)


def human_row(name: str, texts: Sequence[str]) -> TextRow:
    """A row of human texts."""
    return TextRow(RowKey(name, None, None), (tuple(texts),))


def own_text(behavior: Behavior) -> str:
    """What the user wrote in an item: its response, or its content where items have none."""
    return behavior.content if behavior.response is None else behavior.response


def has_gold_texts(task: type[Task]) -> bool:
    """Whether answers are free text, and golds are such texts too."""
    return task.kind is Kind.GENERATION and task.gold_is_answer


def read_places(
    settings: Settings,
    grid: Grid,
    *,
    wanted: Callable[[type[Task]], bool] = has_gold_texts,
    kind: str = "free text as its golds are",
    allow_unequal: bool = False,
) -> tuple[list[TextPlace], list[str]]:
    """The generation tasks of a grid with what is stored of them; and unequal terms, in words.

    Args:
        wanted: which tasks are meant.
        kind: what those ask for, in words.

    Raises:
        ConfigError: no such task has scores; or terms are unequal, unless `allow_unequal`.
        DataError: the data isn't there or is faulty.
        StorageError: a stored file is damaged, or its examples are not in the data.
    """
    everything = read_rows(settings, grid)
    unequal = check_row_terms(everything, allow=allow_unequal)
    _, suite = settings.suite(grid.suite)
    datas = open_sources(settings, suite)
    folders: dict[tuple[str, RowKey], dict[int, Path]] = {}
    for cell in grid.cells:
        folders.setdefault((cell.place, RowKey.of(cell)), {})[cell.seed] = cell.folder
    places = []
    for name, stored in everything.items():
        rows = {key: row for key, row in stored.items() if row.scores}
        first = next(iter(stored.values()))
        if not rows or not wanted(first.cell.task):
            continue
        first = next(iter(rows.values()))
        evaluated = datas[first.cell.source].load(first.cell.task, suite.evaluate)
        require_same_examples(name, first, evaluated)
        examples = {example.id: example for example in evaluated.examples}
        golds = evaluated.golds or {}
        places.append(
            TextPlace(
                name,
                first.cell.task,
                tuple(examples[id] for id in first.ids),
                tuple(golds[id] for id in first.ids),
                tuple(_read_row(key, row, folders[name, key]) for key, row in rows.items()),
            )
        )
    if not places:
        texts = any(wanted(cell.task) for cell in grid.cells)
        raise ConfigError(
            f"suite {grid.suite!r} has no scored cell of a task with {kind.partition(' as ')[0]}"
            if texts
            else f"no task of suite {grid.suite!r} asks for {kind}",
            hint=f"Run `bench run {grid.suite}` first" if texts else "Name another suite or task",
        )
    return places, unequal


def _read_row(key: RowKey, row: StoredRow, folders: Mapping[int, Path]) -> TextRow:
    by_seed = tuple(
        tuple(None if (answer := of_seed.get(id)) is None else answer.text for id in row.ids)
        for of_seed in row.predictions
    )
    seeds = tuple(row.results.seeds)
    of_seeds = tuple(folders[seed] for seed in seeds)
    return TextRow(key, by_seed, seeds, row.results.seeded, of_seeds)


@dataclass(frozen=True)
class Scorer:
    """Turns per-text values of a place's rows into scores with intervals.

    Attributes:
        place: the name in scores.
        users: [n] whose each text is.
        scoring: level of the intervals.
    """

    place: str
    users: tuple[str, ...]
    scoring: ScoringSettings

    def sample(
        self,
        row: TextRow,
        arrays: Sequence[Floats],
        reduce: Reduce,
        *,
        is_mean: bool = False,
        lowest: float = 0.0,
        highest: float = 1.0,
    ) -> Sample:
        """Per-text values [n, c] of each seed, as statistics read them."""
        return Sample(
            arrays,
            partition(self.users),
            reduce,
            is_mean=is_mean,
            seeds=row.seeds,
            seeded=row.seeded,
            bounds=(lowest, highest),
        )

    def score(
        self,
        row: TextRow,
        measure: str,
        sample: Sample,
        against: str = "",
        other: Sample | None = None,
    ) -> TextScore:
        """The value with its interval; `other` is what it is compared with, called `against`."""
        level = self.scoring.confidence
        comparison: Comparison | None = None
        if other is not None:
            comparison = compare(sample, other, confidence=level, flips=self.scoring.resamples)
        return TextScore(
            self.place,
            row.key,
            measure,
            estimate(sample, confidence=level),
            tuple(sample.by_seed.tolist()),
            len(self.users),
            len(set(self.users)),
            row.n_failed,
            against if comparison is not None else "",
            comparison,
        )


def correct_scores(scores: Sequence[TextScore]) -> Iterator[TextScore]:
    """The scores with each p corrected for the other comparisons of one measure (Holm)."""
    families: dict[str, list[int]] = {}
    for n, score in enumerate(scores):
        if score.comparison is not None:
            families.setdefault(score.measure, []).append(n)
    found = dict(enumerate(scores))
    for members in families.values():
        pairs = [gap for n in members if (gap := scores[n].comparison) is not None]
        for n, comparison in zip(members, correct(pairs), strict=True):
            found[n] = replace(scores[n], comparison=comparison)
    yield from found.values()
