"""Simulate how often intervals hold the truth and how often tests find what isn't there.

    python docs/tools/simulate_coverage.py

Writes results/reference/coverage.csv, from which `python docs/tools/tables` makes the table of
docs/statistics.md: about four minutes on one core. A method that is trained is compared with one
that isn't, through `bench.statistics.compare`, next to the percentile bootstrap over users.

A query is answered right where a latent score is above 0: a user's taste (shared by the methods),
the user's effect on one method, the query (shared), the seed, the seed's effect on the user, and
noise; all normal. "graded" scores, as ROUGE is, are the latent score squeezed into
[0, 1]. So the true difference is known exactly. Users have 1 to 2 q − 1 queries, q on average.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bench.statistics import Clusters, Sample, compare, correct

Floats = NDArray[np.float64]

OUT = Path(__file__).parents[2] / "results/reference/coverage.csv"
RESAMPLES = 2000
SHARED_USER, OWN_USER, QUERY, SEED_BY_USER, NOISE = 0.7, 0.5, 0.7, 0.4, 0.5
"""Standard deviations of the latent effects."""
SKILL = 0.6, 0.3
"""Latent means of the two methods."""
LEVEL = 0.95


@dataclass(frozen=True)
class Setting:
    """One row of the file.

    Attributes:
        kind: "accuracy" or "graded".
        users, queries, seeds: of one simulated table; `queries` is the mean per user.
        training: standard deviation of the seed's effect on the latent score: .1 moves accuracy by
            .03 and .3 by .09, as far as any row of LaMP-mini was moved.
        null: whether the methods are equally good.
    """

    kind: str
    users: int
    queries: int
    seeds: int
    training: float
    null: bool


def list_settings() -> Iterator[Setting]:
    """All settings: coverage where there is a difference, rejection where there is none."""
    trained = ((1, 0.0), (1, 0.3), (3, 0.1), (3, 0.3), (5, 0.1), (5, 0.3))
    for kind, users, queries, null, (seeds, training) in product(
        ("accuracy", "graded"), (10, 20, 60, 150), (1, 5, 30), (False, True), trained
    ):
        yield Setting(kind, users, queries, seeds, training, null)


def simulate(setting: Setting, generator: np.random.Generator) -> dict[str, float]:
    """Shares of the simulated tables: coverage of intervals, rejections of tests."""
    s = setting
    runs = 1000 if s.users * s.queries < 1000 else 400
    skill = (SKILL[0], SKILL[0]) if s.null else SKILL
    variance = sum(x**2 for x in (SHARED_USER, OWN_USER, QUERY, SEED_BY_USER, NOISE, s.training))
    spread = variance if s.kind == "accuracy" else 1 + variance
    truth = float(np.subtract(*norm.cdf(np.array(skill) / spread**0.5)))
    weights = generator.multinomial(s.users, np.full(s.users, 1 / s.users), size=RESAMPLES)
    found: dict[str, list[float]] = {}
    for _ in range(runs):
        users, ours, theirs, seeds = draw(s, skill, generator)
        clusters = Clusters.of([f"{user:04}" for user in users])
        samples = [
            Sample([rows[:, None] for rows in arrays], clusters, mean, is_mean=True, seeded=trained)
            for arrays, trained in ((ours, s.seeds > 1 or s.training > 0), (theirs, False))
        ]
        made = compare(*samples, confidence=LEVEL)
        this = norm.cdf((skill[0] + seeds) / (spread - s.training**2) ** 0.5).mean()
        model_truth = this - norm.cdf(skill[1] / spread**0.5)
        low, high = bootstrap(ours.mean(axis=0) - theirs[0], clusters, weights)
        holds = made.low is not None and made.low <= truth <= made.high
        holds_model = made.low is not None and made.low <= model_truth <= made.high
        for name, value in {
            "covered": holds,
            "covered_this_training": holds_model,
            "bootstrap_covered": low <= truth <= high,
            "rejected": made.p is not None and made.p < 1 - LEVEL,
            "bootstrap_rejected": low > 0 or high < 0,
            "withheld": made.low is None,
        }.items():
            found.setdefault(name, []).append(float(value))
    return {"runs": runs} | {name: float(np.mean(values)) for name, values in found.items()}


def draw(
    s: Setting, skill: tuple[float, float], generator: np.random.Generator
) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
    """(users [n], scores of ours [S, n] and theirs [1, n], effects of the seeds [S])."""

    def normal(deviation: float, *shape: int) -> Floats:
        return generator.normal(scale=deviation, size=shape)

    users = np.repeat(np.arange(s.users), generator.integers(1, 2 * s.queries, size=s.users))
    n = len(users)
    shared = normal(SHARED_USER, s.users)[users] + normal(QUERY, n)
    own, other = normal(OWN_USER, s.users)[users], normal(OWN_USER, s.users)[users]
    seeds = normal(s.training, s.seeds)
    by_user = normal(SEED_BY_USER, s.seeds, s.users)[:, users]
    ours = skill[0] + shared + own + seeds[:, None] + by_user + normal(NOISE, s.seeds, n)
    rest = (SEED_BY_USER**2 + NOISE**2 + s.training**2) ** 0.5
    theirs = skill[1] + shared + other + normal(rest, 1, n)
    if s.kind == "accuracy":
        return users, (ours > 0).astype(float), (theirs > 0).astype(float), seeds
    return users, norm.cdf(ours), norm.cdf(theirs), seeds


def mean(rows: Floats) -> float:
    """Of the only column."""
    return float(rows[:, 0].mean())


def bootstrap(
    values: Floats, clusters: Clusters, weights: NDArray[np.int64]
) -> tuple[float, float]:
    """The percentile bootstrap over users of per-example differences, seeds averaged."""
    drawn = (weights @ clusters.sum(values)) / (weights @ clusters.sizes)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def simulate_tables(
    rows: int, users: int, runs: int, generator: np.random.Generator
) -> dict[str, float]:
    """Shares of tables with any star, among tables of equally good untrained rows."""
    setting = Setting("accuracy", users, 1, 1, 0.0, null=True)
    plain = corrected = 0
    for _ in range(runs):
        made = []
        for _ in range(rows):
            of, ours, theirs, _ = draw(setting, (SKILL[0], SKILL[0]), generator)
            clusters = Clusters.of([f"{user:04}" for user in of])
            pair = [Sample([a[0][:, None]], clusters, mean, is_mean=True) for a in (ours, theirs)]
            made.append(compare(*pair, confidence=LEVEL))
        plain += any(one.significant for one in made)
        corrected += any(one.significant for one in correct(made))
    return {"rejected": corrected / runs, "bootstrap_rejected": plain / runs}


def main() -> None:
    """Simulate every setting and write the file."""
    generator = np.random.default_rng(0)
    lines = []
    for setting in list_settings():
        lines.append(vars(setting) | simulate(setting, generator))
        sys.stderr.write(f"{lines[-1]}\n")
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    for rows in (10, 20):
        sys.stderr.write(f"{rows} equal rows: {simulate_tables(rows, 60, 300, generator)}\n")


if __name__ == "__main__":
    main()
