"""One row against another: the difference, its interval, a test, and what may be claimed of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.statistics.clusters import Floats
from bench.statistics.effects import Effects, estimate_effects
from bench.statistics.intervals import FEWEST_USERS, find_reason_to_withhold, half_width
from bench.statistics.multiplicity import adjust_holm
from bench.statistics.power import count_seeds_needed, count_users_needed, find_detectable
from bench.statistics.sample import Sample
from bench.statistics.significance import find_p_by_sign_flips

FEWEST_SEEDS = 3
"""Below so many seeds nothing is claimed of a row that a seed can change."""
NO_VALUES = "known for all examples together only"
"""Why a metric that is known for all examples together only has no interval."""
Pairs = list[tuple[int, int]]


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
        confidence: of the interval; a p below 1 − confidence is significant.
        higher_is_better: False for errors, where a negative difference is a gain.
        relative: gain in percent of theirs, positive where ours is better, as in PPlug's Table 1;
            None where theirs isn't above 0.
        low, high: interval of the difference over users and seeds, not corrected for other
            comparisons; None where it is withheld.
        p: of the null "no difference": by sign flips over users for rows that no seed changes, at
            the level where the interval ends at 0 where seeds count; None below 10 users.
        p_adjusted: after Holm's correction for the comparisons made together; `p` if it is alone.
        n_users, n_seeds: users and pairs of seeds that it is made from.
        by_user, by_seed: wins, ties and losses; None where the metric has no value for a user.
        withheld: why there is no interval ("7 users, of 10 needed"); empty if there is one.
        unproven: why nothing is claimed whatever p is ("1 seed"); empty if it may be.
        detectable: smallest true difference found with 80% power; None where withheld.
        users_needed, seeds_needed: sample that would find a true difference of this size with 80%
            power, the other kept; None where withheld or where no such number suffices.
        effects: variances behind the interval; None where it is withheld.
    """

    difference: float
    confidence: float
    higher_is_better: bool
    relative: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    n_users: int = 0
    n_seeds: int = 1
    by_user: Outcomes | None = None
    by_seed: Outcomes | None = None
    withheld: str = ""
    unproven: str = ""
    detectable: float | None = None
    users_needed: int | None = None
    seeds_needed: int | None = None
    effects: Effects | None = None

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
    table = np.stack([ours.pseudo_values[a] - theirs.pseudo_values[b] for a, b in pairs])
    by_user = np.mean([ours.by_user[a] - theirs.by_user[b] for a, b in pairs], axis=0)
    sign = 1.0 if ours.higher_is_better else -1.0
    found = replace(
        compare_values(
            float(values.mean()),
            theirs.value,
            confidence=confidence,
            higher_is_better=ours.higher_is_better,
            withheld=find_reason_to_withhold(ours, table),
        ),
        n_users=ours.users.n_users,
        n_seeds=len(pairs),
        by_user=Outcomes.of(sign * by_user),
        by_seed=Outcomes.of(sign * values),
        unproven=unproven,
    )
    if found.n_users < FEWEST_USERS:
        return found
    effects = estimate_effects(table)
    if len(pairs) == 1 or effects.error == 0:
        p = find_p_by_sign_flips(_sum_by_user(ours, theirs, pairs, table), flips=flips)
    else:
        p = effects.find_p(found.difference)
    found = replace(found, p=p, p_adjusted=p)
    if found.withheld:
        return found
    half = half_width(effects, confidence)
    needed = {"difference": found.difference, "confidence": confidence}
    return replace(
        found,
        low=found.difference - half,
        high=found.difference + half,
        detectable=find_detectable(effects, confidence=confidence),
        users_needed=count_users_needed(effects, **needed),
        seeds_needed=_require_seeds(count_seeds_needed(effects, **needed))
        if len(pairs) > 1
        else None,
        effects=effects,
    )


def _require_seeds(n: int | None) -> int | None:
    """At least so many seeds as anything is claimed of."""
    return None if n is None else max(FEWEST_SEEDS, n)


def compare_values(
    difference: float,
    theirs: float,
    *,
    confidence: float = 0.95,
    higher_is_better: bool = True,
    withheld: str = NO_VALUES,
) -> Comparison:
    """A comparison that nothing but two values is known of: no interval and no test."""
    gain = difference if higher_is_better else -difference
    relative = 100 * gain / theirs if theirs > 0 else None
    return Comparison(difference, confidence, higher_is_better, relative, withheld=withheld)


def _pair_seeds(ours: Sample, theirs: Sample) -> tuple[Pairs, str]:
    """Places in both rows' seeds that are compared, and why they prove nothing; empty if they may.

    A row that no seed changes has one, which is compared with every seed of the other.
    """
    if not (ours.seeded or theirs.seeded):
        return [(0, 0)], ""
    if ours.seeded and theirs.seeded:
        common = [seed for seed in ours.seeds if seed in theirs.seeds]
        pairs = [(ours.seeds.index(seed), theirs.seeds.index(seed)) for seed in common]
        if not pairs:
            return [(0, 0)], "no common seed"
    elif ours.seeded:
        pairs = [(place, 0) for place in range(len(ours.seeds))]
    else:
        pairs = [(0, place) for place in range(len(theirs.seeds))]
    n = len(pairs)
    return pairs, f"{n} seed{'s' * (n != 1)}" if n < FEWEST_SEEDS else ""


def _sum_by_user(ours: Sample, theirs: Sample, pairs: Pairs, table: Floats) -> Floats:
    """[U] each user's part of the difference: a sum over queries if the metric is their mean."""
    if not ours.is_mean:
        return np.asarray(table.mean(axis=0))
    return np.asarray(np.mean([ours.sums[a] - theirs.sums[b] for a, b in pairs], axis=0))


def correct(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with p adjusted for each other (Holm).

    Those of which nothing can be claimed whatever their p is are left as they are, and don't count.
    """
    tested = [n for n, c in enumerate(comparisons) if c.p is not None and not c.unproven]
    adjusted = adjust_holm([p for n in tested if (p := comparisons[n].p) is not None])
    found = list(comparisons)
    for place, p in zip(tested, adjusted, strict=True):
        found[place] = replace(found[place], p_adjusted=p)
    return found


def find_separable(comparisons: Sequence[Comparison]) -> list[bool | None]:
    """Of rows compared with the best one: whether each differs from it (Holm); None if untested.

    Where seeds are too few, they are taken to move a difference as much as users do: otherwise
    nothing would be said of rows with one seed, or too much.
    """
    p_values = [_find_cautious_p(comparison) for comparison in comparisons]
    tested = [n for n, p in enumerate(p_values) if p is not None]
    adjusted = adjust_holm([p for p in p_values if p is not None])
    found: list[bool | None] = [None] * len(comparisons)
    for place, p in zip(tested, adjusted, strict=True):
        found[place] = p < 1 - comparisons[place].confidence
    return found


def _find_cautious_p(comparison: Comparison) -> float | None:
    if comparison.unproven and comparison.effects is not None and comparison.n_seeds == 1:
        return comparison.effects.find_p(comparison.difference / 2**0.5)
    return comparison.p
