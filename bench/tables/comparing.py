"""The rows of one column against each other: intervals, differences, and which are the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.rows import CONTROL
from bench.settings import ScoringSettings
from bench.statistics import (
    NO_VALUES,
    Comparison,
    Interval,
    Sample,
    compare,
    compare_values,
    correct,
    estimate,
    find_separable,
    partition,
)
from bench.tables.model import Entry, RowKey
from bench.tables.stored import Results
from methods.core.controls import SEPARATOR
from tasks.metrics import Metric

CONTROL_SUFFIX = f"{SEPARATOR}{CONTROL}"
GAPS = ("to_reference", "to_control", "to_instruction_only")
"""Fields of `Entry` that hold comparisons."""


@dataclass(frozen=True)
class Comparing:
    """The rows of one column.

    Attributes:
        values: row → stored value, averaged over seeds.
        samples: row → values of single examples; None for a metric that has none.
        higher_is_better: False for errors.
        n, n_users: scored examples, and the users whose they are.
        confidence, flips: of every interval and test.
    """

    values: dict[RowKey, float]
    samples: dict[RowKey, Sample | None]
    higher_is_better: bool
    n: int
    n_users: int
    confidence: float
    flips: int

    @classmethod
    def of(
        cls,
        results: Mapping[RowKey, Results],
        name: str,
        metric: Metric,
        users: tuple[str, ...],
        scoring: ScoringSettings,
    ) -> "Comparing":
        """From results that were scored on the same examples, whose users are `users` [n]."""
        samples: dict[RowKey, Sample | None] = {}
        for key, found in results.items():
            arrays = found.arrays(name)
            samples[key] = (
                None
                if arrays is None
                else Sample(
                    arrays,
                    partition(users),
                    metric.reduce,
                    is_mean=metric.is_mean,
                    seeds=found.seeds,
                    seeded=found.seeded,
                    higher_is_better=metric.higher_is_better,
                    bounds=metric.bounds,
                )
            )
        values = {key: found.mean(name) for key, found in results.items()}
        return cls(
            values,
            samples,
            metric.higher_is_better,
            len(users),
            len(set(users)),
            scoring.confidence,
            scoring.resamples,
        )

    def estimate(self, key: RowKey) -> Interval:
        """A row's score; the stored value, which a bootstrap median can make differ in digit 4."""
        sample = self.samples[key]
        if sample is None:
            return Interval(self.values[key], withheld=NO_VALUES)
        return replace(estimate(sample, confidence=self.confidence), value=self.values[key])

    def compare(self, ours: RowKey, theirs: RowKey | None) -> Comparison | None:
        """Ours − theirs; None where there is no other row."""
        if theirs is None or theirs == ours:
            return None
        our_sample, their_sample = self.samples[ours], self.samples[theirs]
        if our_sample is None or their_sample is None:
            return compare_values(
                self.values[ours] - self.values[theirs],
                self.values[theirs],
                confidence=self.confidence,
                higher_is_better=self.higher_is_better,
            )
        return compare(our_sample, their_sample, confidence=self.confidence, flips=self.flips)

    def mark_best(
        self, entries: Mapping[RowKey, Entry], competing: Sequence[RowKey]
    ) -> dict[RowKey, Entry]:
        """The entries, with those of the `competing` ones marked that the best doesn't exceed.

        Rows compete with those of their own prompt budget and with those that have none. A row
        without a budget is the best where no row of any budget is better.
        """
        found = dict(entries)
        separated: dict[tuple[RowKey, ...], dict[RowKey, bool | None]] = {}
        for key in competing:
            rivals = [
                other
                for other in competing
                if None in (key.budget, other.budget) or other.budget == key.budget
            ]
            choose = max if self.higher_is_better else min
            top = choose(rivals, key=lambda rival: round(self.values[rival], 4))
            group = tuple(rivals)
            if group not in separated:
                separated[group] = self._separate(top, group)
            separable = separated[group]
            best = key == top or separable.get(key) is False
            tested = any(answer is not None for answer in separable.values())
            found[key] = replace(found[key], best=best and tested)
        return found

    def _separate(self, top: RowKey, rivals: tuple[RowKey, ...]) -> dict[RowKey, bool | None]:
        """Whether each of the other rows differs from the top one; None if untested."""
        others = [key for key in rivals if key != top]
        gaps = [self.compare(key, top) for key in others]
        answers = find_separable([gap for gap in gaps if gap is not None])
        return dict(zip(others, answers, strict=True))


def correct_entries(entries: Mapping[RowKey, Entry]) -> dict[RowKey, Entry]:
    """The entries of a column with the p of each kind of comparison corrected over its rows.

    Controls, which no sheet of differences shows, are a family of their own.
    """
    found = dict(entries)
    for field in GAPS:
        for is_control in (False, True):
            family = [
                (key, gap)
                for key, entry in entries.items()
                if (gap := getattr(entry, field)) is not None
                and key.method.endswith(CONTROL_SUFFIX) == is_control
            ]
            corrected = correct([gap for _, gap in family])
            for (key, _), gap in zip(family, corrected, strict=True):
                found[key] = _replace_gap(found[key], field, gap)
    return found


def _replace_gap(entry: Entry, field: str, gap: Comparison) -> Entry:
    changes: dict[str, Any] = {field: gap}
    return replace(entry, **changes)
