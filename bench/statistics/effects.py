"""Random effects of users and training seeds: how far a mean over both would move.

Values of S seeds × U users are modelled as xₛᵤ = θ + seedₛ + userᵤ + residualₛᵤ: another training
run and other users would both have given another mean. Its standard error comes from the mean
squares of the two-way table, as in multi-reader multi-case studies (Dorfman, Berbaum and Metz
1992). Its quantiles are Cochran's (1964): those of t for seeds and for users, weighted by their
variances.
Satterthwaite's degrees of freedom are too many for three seeds (docs/statistics.md).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from bench.statistics.clusters import Floats

STEPS = 60
"""Bisections of a p-value, which leave it exact to the last digits of a float."""


@dataclass(frozen=True)
class Effects:
    """Variances of the effects, and what they give for the mean of a table of seeds × users.

    Attributes:
        seed, user, residual: variance of one seed's, user's and (seed, user)'s effect; `seed` is 0
            where there is one seed, and `residual` is then part of `user`.
        error: standard error of the mean.
        seed_share: share of its variance that comes from seeds.
        n_seeds, n_users: the table's size.
    """

    seed: float
    user: float
    residual: float
    error: float
    seed_share: float
    n_seeds: int
    n_users: int

    def quantile(self, probability: float) -> float:
        """Of (mean − θ) / error."""
        of_users = float(stdtrit(self.n_users - 1, probability))
        if self.seed_share == 0:
            return of_users
        of_seeds = float(stdtrit(self.n_seeds - 1, probability))
        return self.seed_share * of_seeds + (1 - self.seed_share) * of_users

    def find_p(self, difference: float) -> float:
        """Two-sided p of "θ is 0" for a mean of `difference`: 1 − the level of an interval to 0."""
        reached = abs(difference) / self.error
        if self.seed_share == 0:
            return float(2 * stdtr(self.n_users - 1, -reached))
        low, high = 0.0, 0.5  # of one tail
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if -self.quantile(middle) <= reached else (middle, high)
        return 2 * high

    def error_with(self, *, seeds: int, users: int) -> float:
        """The standard error that so many seeds and users would give."""
        variance = self.seed / seeds + self.user / users + self.residual / (seeds * users)
        return float(np.sqrt(variance))


def estimate_effects(values: Floats) -> Effects:
    """The effects behind values [S, U]. Needs U ≥ 2."""
    n_seeds, n_users = values.shape
    by_user = values.mean(axis=0)
    user_square = n_seeds * float(by_user.var(ddof=1))
    if n_seeds == 1:
        error = float(np.sqrt(user_square / n_users))
        return Effects(0.0, user_square, 0.0, error, 0.0, 1, n_users)
    by_seed = values.mean(axis=1)
    seed_square = n_users * float(by_seed.var(ddof=1))
    rest = values - by_user[None, :] - by_seed[:, None] + values.mean()
    residual = float((rest**2).sum()) / ((n_seeds - 1) * (n_users - 1))
    seeds_alone = max(0.0, seed_square - residual)
    total = user_square + seeds_alone
    return Effects(
        seed=seeds_alone / n_users,
        user=max(0.0, (user_square - residual) / n_seeds),
        residual=residual,
        error=float(np.sqrt(total / (n_seeds * n_users))),
        seed_share=seeds_alone / total if total > 0 else 0.0,
        n_seeds=n_seeds,
        n_users=n_users,
    )
