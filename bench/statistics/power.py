"""What could have been found: detectable effects, and the sample that a difference needs."""

from collections.abc import Callable

from scipy.special import ndtri

from bench.statistics.effects import Effects

POWER = 0.8
MOST = 10_000_000
"""Users or seeds beyond which a sample counts as out of reach."""


def find_detectable(effects: Effects, *, confidence: float, power: float = POWER) -> float:
    """The smallest true difference that is found with probability `power`."""
    return (effects.quantile((1 + confidence) / 2) + effects.quantile(power)) * effects.error


def count_users_needed(
    effects: Effects, difference: float, *, confidence: float, power: float = POWER
) -> int | None:
    """Users with which a true `difference` is found, at the same seeds; None if none suffice."""
    seeds = effects.n_seeds
    return _find_smallest(
        lambda users: effects.error_with(seeds=seeds, users=users), difference, confidence, power
    )


def count_seeds_needed(
    effects: Effects, difference: float, *, confidence: float, power: float = POWER
) -> int | None:
    """Seeds with which a true `difference` is found, for the same users; None if none suffice."""
    users = effects.n_users
    return _find_smallest(
        lambda seeds: effects.error_with(seeds=seeds, users=users), difference, confidence, power
    )


def _find_smallest(
    error: Callable[[int], float], difference: float, confidence: float, power: float
) -> int | None:
    """The smallest size whose standard error is small enough (normal quantiles), by bisection."""
    allowed = abs(difference) / float(ndtri((1 + confidence) / 2) + ndtri(power))
    if allowed == 0 or error(MOST) > allowed:
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(middle) <= allowed else (middle, high)
    return high
