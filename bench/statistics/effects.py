"""Random effects of users and training seeds: how far a mean over both would move.

Scores of S seeds × U users are modelled as xₛᵤ = θ + seedₛ + userᵤ + residualₛᵤ: another training
run and other users would both have given another mean. Its standard error is estimated from the mean
squares of the two-way table, as in multi-reader multi-case studies (Dorfman, Berbaum and Metz
1992; Hillis 2007), and its degrees of freedom by Satterthwaite (1946).
"""

from dataclasses import dataclass

import numpy as np

from bench.statistics.clusters import Floats


@dataclass(frozen=True)
class Effects:
    """Variances of the effects, and what they give for the mean of a table of seeds × users.

    Attributes:
        seed, user, residual: variance of one seed's, user's and (seed, user)'s effect; `seed` is 0
            where there is one seed, and `residual` is then part of `user`.
        error: standard error of the mean.
        df: its degrees of freedom.
        n_seeds, n_users: the table's size.
    """

    seed: float
    user: float
    residual: float
    error: float
    df: float
    n_seeds: int
    n_users: int

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
        return Effects(
            0.0, user_square, 0.0, float(np.sqrt(user_square / n_users)), n_users - 1, 1, n_users
        )
    by_seed = values.mean(axis=1)
    seed_square = n_users * float(by_seed.var(ddof=1))
    rest = values - by_user[None, :] - by_seed[:, None] + values.mean()
    residual_df = (n_seeds - 1) * (n_users - 1)
    residual = float((rest**2).sum()) / residual_df
    # Never below what users alone give: the seeds' mean square has few degrees of freedom.
    total = max(user_square + seed_square - residual, user_square)
    parts = (user_square, n_users - 1), (seed_square, n_seeds - 1), (residual, residual_df)
    spread = sum(square**2 / df for square, df in parts)
    df = n_users - 1.0 if spread == 0 else total**2 / spread
    smallest = float(min(n_seeds, n_users) - 1)
    return Effects(
        seed=max(0.0, (seed_square - residual) / n_users),
        user=max(0.0, (user_square - residual) / n_seeds),
        residual=residual,
        error=float(np.sqrt(total / (n_seeds * n_users))),
        df=min(max(df, smallest), n_users - 1.0),
        n_seeds=n_seeds,
        n_users=n_users,
    )
