"""Confidence intervals of scores, over users and training seeds."""

from dataclasses import dataclass

import numpy as np

from bench.statistics.clusters import Floats
from bench.statistics.effects import Effects, estimate_effects
from bench.statistics.sample import Sample

FEWEST_USERS = 10
"""Below so many users, no interval has the coverage it claims (docs/statistics.md)."""


@dataclass(frozen=True)
class Interval:
    """A value with its confidence interval.

    Attributes:
        low, high: None where the interval is withheld.
        withheld: why it is; empty where it isn't.
    """

    value: float
    low: float | None = None
    high: float | None = None
    withheld: str = ""


def estimate(sample: Sample, *, confidence: float = 0.95) -> Interval:
    """A score, averaged over seeds, with its interval over users and seeds.

    With one seed the interval holds users alone.
    """
    value = sample.value
    withheld = find_reason_to_withhold(sample, sample.pseudo_values)
    if withheld:
        return Interval(value, withheld=withheld)
    half = half_width(estimate_effects(sample.pseudo_values), confidence)
    lowest, highest = sample.bounds
    return Interval(value, max(lowest, value - half), min(highest, value + half))


def half_width(effects: Effects, confidence: float) -> float:
    """Half the width of a mean's interval."""
    return effects.quantile((1 + confidence) / 2) * effects.error


def find_reason_to_withhold(sample: Sample, values: Floats) -> str:
    """Why values [S, U] of users can't give an interval; empty where they can."""
    n_users = sample.users.n_users
    if n_users < FEWEST_USERS:
        return f"{n_users} user{'s' * (n_users != 1)}, of {FEWEST_USERS} needed"
    if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return "all users alike"
    return ""
