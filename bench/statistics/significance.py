"""Tests of "no difference between two rows": by users, never by examples; exact where possible."""

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from bench.statistics.clusters import Floats
from tasks.common.seeds import Seeds

MOST_ENUMERATED = 13
"""Users up to which every pattern of signs is tried: 2¹³ = 8,192."""
MOST_STEPS = 200_000
"""Whole numbers up to which a sum's distribution is computed exactly."""


def find_p_by_sign_flips(sums: Floats, *, flips: int = 10_000) -> float:
    """Two-sided p of the sign-flip test: under the null, each user's difference has either sign.

    Args:
        sums: [U] difference of each user, for example the sum over its queries.
        flips: random patterns of signs, where there are too many to try them all.

    Whole numbers (accuracy, absolute errors of ratings) give the exact p. Where every one is −1, 0
    or 1, as in accuracy with one query a user, that is McNemar's exact test; with more queries, it
    is McNemar's test clustered by user.
    """
    moved = sums[np.abs(sums) > 1e-12]
    if not len(moved):
        return 1.0
    whole = np.rint(moved)
    if np.abs(moved - whole).max() < 1e-9 and np.abs(whole).sum() <= MOST_STEPS:
        return _test_whole_numbers(whole.astype(np.int64))
    observed = abs(float(moved.sum()))
    edge = observed * (1 - 1e-9)
    if len(moved) <= MOST_ENUMERATED:
        return float(np.mean(np.abs(_enumerate_signs(len(moved)) @ moved) >= edge))
    drawn = np.abs(_draw_signs(len(moved), flips) @ moved.astype(np.float32)) >= edge * (1 - 1e-6)
    return float((1 + drawn.sum()) / (1 + flips))


def _test_whole_numbers(sums: NDArray[np.int64]) -> float:
    """Exact: the sum of k values ±m is m · (2 · Binomial(k, ½) − k), and different m are added."""
    magnitudes, counts = np.unique(np.abs(sums), return_counts=True)
    chances = np.ones(1)  # of the sum −reach, −reach + 2, …, reach
    for magnitude, count in zip(magnitudes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(magnitude * count + 1)
        steps[::magnitude] = _toss_coins(count)
        chances = np.convolve(chances, steps)
    reach = int(np.abs(sums).sum())
    values = np.abs(np.arange(-reach, reach + 1, 2))
    return float(min(1.0, chances[values >= abs(int(sums.sum()))].sum()))


def _toss_coins(count: int) -> Floats:
    """Chances [count + 1] of 0 … `count` heads, as scipy.stats.binom has them; it loads slowly."""
    middle = count // 2
    upward, downward = np.arange(middle, count), np.arange(middle, 0, -1)
    more = np.cumprod((count - upward) / (upward + 1))  # of middle + 1 … over that of the middle
    fewer = np.cumprod(downward / (count - downward + 1))
    weights = np.concatenate([fewer[::-1], np.ones(1), more])
    chances: Floats = weights / weights.sum()
    return chances


def _enumerate_signs(n: int) -> Floats:
    return np.array(list(product((-1.0, 1.0), repeat=n)))


@lru_cache(maxsize=2)  # shared by the rows of a column
def _draw_signs(n: int, flips: int) -> NDArray[np.float32]:
    """[flips, n] random signs, the same for equal n: p doesn't depend on what ran before."""
    generator = np.random.default_rng(Seeds.root("sign flips", n).seed())
    bits = np.frombuffer(generator.bytes((n * flips + 7) // 8), dtype=np.uint8)
    signs = np.unpackbits(bits)[: n * flips].reshape(flips, n).astype(np.float32)
    return 2 * signs - 1
