"""What a row scored on each example, and what follows for each user."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from bench.statistics.clusters import Clusters, Floats

Reduce = Callable[[Floats], float]
MOST_GROUPS = 300
"""Users beyond which a metric that is no mean is resampled by groups of users, to save time."""


class Sample:
    """The per-example values of one row on one metric, under each of its seeds.

    Args:
        rows: [S] arrays [n, c] of per-example values, all in the same order of examples.
        clusters: whose example each is.
        reduce: [n, c] → the metric's value.
        is_mean: whether `reduce` is the mean of the single column, so that all users can be left
            out at once.
        seeds: [S] the seed of each array; by default 0 to S − 1.
        seeded: whether another seed can change the values.
        higher_is_better: False for errors.
        bounds: the lowest and the highest value that the metric can have.
    """

    def __init__(
        self,
        rows: Sequence[Floats],
        clusters: Clusters,
        reduce: Reduce,
        *,
        is_mean: bool = False,
        seeds: Sequence[int] | None = None,
        seeded: bool = False,
        higher_is_better: bool = True,
        bounds: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        self.rows = tuple(rows)
        self.users = clusters
        self.clusters = clusters if is_mean else clusters.merge(MOST_GROUPS)
        self.reduce = reduce
        self.is_mean = is_mean
        self.seeds = tuple(range(len(rows)) if seeds is None else seeds)
        self.seeded = seeded
        self.higher_is_better = higher_is_better
        self.bounds = bounds

    @cached_property
    def by_seed(self) -> Floats:
        """[S] the metric under each seed."""
        return np.array([self.reduce(rows) for rows in self.rows])

    @property
    def value(self) -> float:
        """The metric, averaged over seeds."""
        return float(self.by_seed.mean())

    @cached_property
    def sums(self) -> Floats:
        """[S, U] sums of a mean metric's values by user."""
        return np.stack([self.users.sum(rows[:, 0]) for rows in self.rows])

    @cached_property
    def pseudo_values(self) -> Floats:
        """[S, U] U·θ − (U − 1)·θ₋ᵤ, where θ₋ᵤ is the metric without user u (Tukey 1958).

        Their mean is the metric, up to its bias, and their spread is that of users, for any metric.
        """
        n_users = self.clusters.n_users
        if n_users < 2:
            return self.by_seed[:, None]
        return n_users * self.by_seed[:, None] - (n_users - 1) * self._leave_out()

    def _leave_out(self) -> Floats:
        """[S, U] the metric without each user."""
        if self.is_mean:
            sizes = self.clusters.sizes
            totals = self.sums.sum(axis=1, keepdims=True)
            return np.asarray((totals - self.sums) / (sizes.sum() - sizes))
        codes = self.clusters.codes
        kept = [codes != user for user in range(self.clusters.n_users)]
        return np.array([[self.reduce(rows[keep]) for keep in kept] for rows in self.rows])

    @cached_property
    def by_user(self) -> Floats:
        """[S, U] the metric of each user's own examples."""
        if self.is_mean:
            return np.asarray(self.sums / self.users.sizes)
        members = self.users.members
        return np.array([[self.reduce(rows[own]) for own in members] for rows in self.rows])
