"""One row against another: the difference, its interval, a test, and what may be claimed of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from bench.statistics.clusters import Floats
from bench.statistics.effects import Effects, estimate_effects
from bench.statistics.intervals import find_reason_to_withhold, half_width
from bench.statistics.multiplicity import adjust_holm
from bench.statistics.power import count_seeds_needed, count_users_needed, find_detectable
from bench.statistics.sample import Sample
from bench.statistics.significance import find_p_by_sign_flips, find_p_by_t

FEWEST_SEEDS = 3
"""Below so many seeds nothing is claimed of a row that a seed can change."""


@dataclass(frozen=True)
class Outcomes:
    """How often the first row was better, as good or worse, whichever way the metric runs."""

    wins: int
    ties: int
    losses: int

    @classmethod
    def of(cls, gains: Floats) -> "Outcomes":
        """From gains, which are positive where the first row is better."""
        wins, losses = int((gains > 1e-12).sum()), int((gains < -1e-12).sum())
        return cls(wins, gains.size - wins - losses, losses)


@dataclass(frozen=True)
class Comparison:
    """Ours − theirs on the same examples, paired by user and, where both have them, by seed.

    Attributes:
        difference: ours − theirs in the metric's unit, averaged over seeds.
        low, high: its confidence interval over users and seeds, not corrected for other
            comparisons; None where it is withheld.
        p: of the null "no difference": exact or by sign flips over users for rows that no seed
            changes, from the interval's own t where seeds count; None where it is withheld.
        p_adjusted: after Holm's correction for the comparisons made together; `p` if it is alone.
        confidence: of the interval; a p below 1 − confidence is significant.
        higher_is_better: False for errors, where a negative difference is a gain.
        relative: gain in percent of theirs, positive where ours is better, as in PPlug's Table 1;
            None where theirs is 0 or of the other sign.
        n_users, n_seeds: users and pairs of seeds that it is made from.
        by_user, by_seed: wins, ties and losses.
        withheld: why there is no interval and no test ("7 users, of 10 needed"); empty if there is.
        unproven: why nothing is claimed in spite of an interval ("1 seed"); empty if it may be.
        detectable: smallest true difference found with 80% power; None where withheld.
        users_needed, seeds_needed: sample that would find a true difference of this size with 80%
            power, the other kept; None where withheld or where no such number suffices.
        effects: variances behind the interval; None where it is withheld.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    confidence: float
    higher_is_better: bool
    relative: float | None
    n_users: int
    n_seeds: int
    by_user: Outcomes
    by_seed: Outcomes
    withheld: str
    unproven: str
    detectable: float | None
    users_needed: int | None
    seeds_needed: int | None
    effects: Effects | None

    @property
    def gain(self) -> float:
        """The difference, positive where ours is better."""
        return self.difference if self.higher_is_better else -self.difference

    @property
    def significant(self) -> bool:
        """Whether a difference may be claimed (a star): by a corrected test, over enough seeds."""
        return (
            not self.unproven
            and self.p_adjusted is not None
            and self.p_adjusted < 1 - self.confidence
        )

    @property
    def verdict(self) -> str:
        """What may be said of ours: "better", "worse" or "unclear"."""
        if not self.significant:
            return "unclear"
        return "better" if self.gain > 0 else "worse"


def compare(
    ours: Sample, theirs: Sample, *, confidence: float = 0.95, flips: int = 10_000
) -> Comparison:
    """Ours − theirs. Both must be scored on the same examples, in the same order.

    Args:
        confidence: of the interval, and 1 − α of the test.
        flips: random sign patterns of the permutation test.
    """
    pairs, unproven = _pair_seeds(ours, theirs)
    values = np.array([ours.by_seed[a] - theirs.by_seed[b] for a, b in pairs])
    difference = ours.value - theirs.value if unproven == "no seed in common" else values.mean()
    table = np.stack([ours.pseudo_values[a] - theirs.pseudo_values[b] for a, b in pairs])
    sign = 1.0 if ours.higher_is_better else -1.0
    by_user = np.mean([ours.by_user[a] - theirs.by_user[b] for a, b in pairs], axis=0)
    found = Comparison(
        difference=float(difference),
        low=None,
        high=None,
        p=None,
        p_adjusted=None,
        confidence=confidence,
        higher_is_better=ours.higher_is_better,
        relative=_relate(float(difference), theirs.value, sign),
        n_users=ours.users.n_users,
        n_seeds=len(pairs),
        by_user=Outcomes.of(sign * by_user),
        by_seed=Outcomes.of(sign * values),
        withheld=find_reason_to_withhold(ours, table),
        unproven=unproven,
        detectable=None,
        users_needed=None,
        seeds_needed=None,
        effects=None,
    )
    if found.withheld:
        return found
    effects = estimate_effects(table)
    half = half_width(effects, confidence)
    if len(pairs) > 1:
        p = find_p_by_t(found.difference, effects)
    else:
        (a, b) = pairs[0]
        p = find_p_by_sign_flips(
            ours.sums[a] - theirs.sums[b] if ours.is_mean else table[0], flips=flips
        )
    several = len(pairs) > 1
    return replace(
        found,
        low=found.difference - half,
        high=found.difference + half,
        p=p,
        p_adjusted=p,
        detectable=find_detectable(effects, confidence=confidence),
        users_needed=count_users_needed(effects, found.difference, confidence=confidence),
        seeds_needed=count_seeds_needed(effects, found.difference, confidence=confidence)
        if several
        else None,
        effects=effects,
    )


def _pair_seeds(ours: Sample, theirs: Sample) -> tuple[list[tuple[int, int]], str]:
    """Pairs of places in both rows' seeds, and why they prove nothing; empty if they may."""
    if not (ours.seeded or theirs.seeded):
        return [(0, 0)], ""
    if ours.seeded and theirs.seeded:
        pairs = [(ours.seeds.index(s), theirs.seeds.index(s)) for s in ours.seeds
                 if s in theirs.seeds]  # fmt: skip
        if not pairs:
            return [(0, 0)], "no seed in common"
    elif ours.seeded:
        pairs = [(place, 0) for place in range(len(ours.seeds))]
    else:
        pairs = [(0, place) for place in range(len(theirs.seeds))]
    n = len(pairs)
    return pairs, f"{n} seed{'s' * (n != 1)}" if n < FEWEST_SEEDS else ""


def _relate(difference: float, theirs: float, sign: float) -> float | None:
    return None if theirs <= 0 else 100 * sign * difference / theirs


def correct(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with p adjusted for each other (Holm).

    Those of which nothing can be claimed whatever their p are left as they are, and don't count.
    """
    tested = [n for n, c in enumerate(comparisons) if c.p is not None and not c.unproven]
    adjusted = adjust_holm([comparisons[n].p or 0.0 for n in tested])
    found = list(comparisons)
    for place, p in zip(tested, adjusted, strict=True):
        found[place] = replace(found[place], p_adjusted=p)
    return found


def is_separable(comparison: Comparison, *, family: int = 1) -> bool:
    """Whether a row differs from the best one, among `family` rows compared with it.

    Where seeds are too few, they are taken to move a difference as much as users do.
    """
    if comparison.effects is None:
        return False
    effects = comparison.effects
    error = effects.error * (2**0.5 if comparison.unproven else 1.0)
    p = comparison.p
    if comparison.unproven:
        p = float(2 * student.sf(abs(comparison.difference) / error, effects.df))
    return p is not None and family * p < 1 - comparison.confidence
