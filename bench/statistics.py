"""Bootstrap intervals of scores and differences, clustered by user: a user's queries are not
independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tasks.common.seeds import Seeds

Reduce = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True)
class Interval:
    """A value with a percentile bootstrap interval; `excludes_zero` for differences.

    `low` and `high` are None where nothing can be resampled: a metric without values per example.
    """

    value: float
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def resample_users(users: Sequence[str], resamples: int) -> list[NDArray[np.intp]]:
    """Row indices of `resamples` bootstrap samples of whole users, drawn with replacement.

    Seeded by the users' names, so that two methods scored on the same users get the same samples:
    that pairs their difference.
    """
    return _resample_users(tuple(users), resamples)


@lru_cache(maxsize=2)  # shared by all methods and metrics of a task
def _resample_users(users: tuple[str, ...], resamples: int) -> list[NDArray[np.intp]]:
    of_user: dict[str, list[int]] = {}
    for row, user in enumerate(users):
        of_user.setdefault(user, []).append(row)
    groups = [np.array(of_user[user], dtype=np.intp) for user in sorted(of_user)]
    generator = np.random.default_rng(Seeds.root("bootstrap", *sorted(of_user)).seed())
    draws = generator.integers(0, len(groups), size=(resamples, len(groups)))
    return [np.concatenate([groups[g] for g in draw]) for draw in draws]


def interval(
    rows: Sequence[NDArray[np.float64]],
    users: Sequence[str],
    reduce: Reduce,
    *,
    confidence: float,
    resamples: int,
) -> Interval:
    """A score, averaged over seeds, with its user-clustered interval.

    Args:
        rows: one array [n, c] of per-example values for each seed, all in the same order.
        users: [n] the user of each example.
        reduce: [n, c] → the metric's value.
        confidence, resamples: of the percentile bootstrap.
    """
    samples = resample_users(users, resamples)
    drawn = np.array([np.mean([reduce(r[sample]) for r in rows]) for sample in samples])
    return _interval(float(np.mean([reduce(r) for r in rows])), drawn, confidence)


def difference(
    ours: Sequence[NDArray[np.float64]],
    theirs: Sequence[NDArray[np.float64]],
    users: Sequence[str],
    reduce: Reduce,
    *,
    confidence: float,
    resamples: int,
) -> Interval:
    """Ours − theirs on the same examples, averaged over seeds, users resampled in pairs."""
    drawn = [
        np.mean([reduce(r[sample]) for r in ours]) - np.mean([reduce(r[sample]) for r in theirs])
        for sample in resample_users(users, resamples)
    ]
    value = np.mean([reduce(r) for r in ours]) - np.mean([reduce(r) for r in theirs])
    return _interval(float(value), np.array(drawn), confidence)


def _interval(value: float, drawn: NDArray[np.float64], confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
