"""What may be concluded from scores: intervals, tests and power, over users and training seeds.

>>> import numpy as np
>>> users = partition(tuple(f"user {n % 12}" for n in range(24)))
>>> right = np.array([[1.0]] * 18 + [[0.0]] * 6)
>>> wrong = np.array([[1.0]] * 12 + [[0.0]] * 12)
>>> mean = lambda rows: float(rows[:, 0].mean())
>>> ours, theirs = (Sample([rows], users, mean, is_mean=True) for rows in (right, wrong))
>>> found = compare(ours, theirs)
>>> found.difference, found.by_user.wins, found.verdict
(0.25, 6, 'better')
"""

from bench.statistics.clusters import Clusters, partition
from bench.statistics.comparison import (
    FEWEST_SEEDS,
    NO_VALUES,
    Comparison,
    Outcomes,
    compare,
    compare_values,
    correct,
    find_separable,
)
from bench.statistics.effects import Effects, estimate_effects
from bench.statistics.intervals import FEWEST_USERS, Interval, estimate
from bench.statistics.multiplicity import adjust_holm
from bench.statistics.power import count_seeds_needed, count_users_needed, find_detectable
from bench.statistics.sample import Sample
from bench.statistics.significance import find_p_by_sign_flips

__all__ = [
    "FEWEST_SEEDS",
    "FEWEST_USERS",
    "NO_VALUES",
    "Clusters",
    "Comparison",
    "Effects",
    "Interval",
    "Outcomes",
    "Sample",
    "adjust_holm",
    "compare",
    "compare_values",
    "correct",
    "count_seeds_needed",
    "count_users_needed",
    "estimate",
    "estimate_effects",
    "find_detectable",
    "find_p_by_sign_flips",
    "find_separable",
    "partition",
]
