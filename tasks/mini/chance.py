"""Seeded random choices by integer arithmetic, so that they are the same on every machine."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PARTS_PER_WHOLE = 10_000
"""Resolution of probabilities in [0, 1]."""


def stream(*axes: object) -> random.Random:
    """A random generator for these axes.

    It is seeded by the text of the axes rather than by a hash of them, so different axes never
    share a seed.
    """
    return random.Random("\x1f".join(str(axis) for axis in axes))


def happens(rng: random.Random, share: float) -> bool:
    """True with probability `share`; consumes one draw whatever the share is."""
    return rng.randrange(PARTS_PER_WHOLE) < round(share * PARTS_PER_WHOLE)


@dataclass(frozen=True)
class Weighted:
    """Values with integer weights."""

    weights: Mapping[str, int]

    def draw(self, rng: random.Random) -> str:
        """A value, drawn with probability proportional to its weight."""
        point = rng.randrange(sum(self.weights.values()))
        for value, weight in self.weights.items():
            if point < weight:
                return value
            point -= weight
        raise AssertionError("unreachable: point < sum of the weights")

    def order(self, rng: random.Random) -> tuple[str, ...]:
        """All values, drawn one by one without replacement.

        The probability that a value comes first among any subset is therefore its share of the
        subset's weights (Luce's choice axiom).
        """
        remaining, drawn = dict(self.weights), []
        while remaining:
            drawn.append(Weighted(remaining).draw(rng))
            del remaining[drawn[-1]]
        return tuple(drawn)

    def most_common(self, among: Sequence[str] | None = None) -> str:
        """The value with the largest weight; ties go to the first."""
        return max(among or self.weights, key=self.weights.__getitem__)
