"""Resampling by users, against cases small enough to be counted."""

import itertools

import numpy as np
import pytest
from scipy.stats import bootstrap

from bench.statistics import Interval, difference, interval, resample_users

USERS = ["a", "a", "b", "c", "c", "c"]
HOW = {"confidence": 0.95, "resamples": 4000}


def mean(rows):
    return float(rows[:, 0].mean())


def rows(*values):
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def test_samples_are_of_whole_users_as_many_as_there_are():
    whole = {"a": [0, 1], "b": [2], "c": [3, 4, 5]}
    allowed = {
        tuple(sorted(itertools.chain.from_iterable(whole[user] for user in drawn)))
        for drawn in itertools.product(whole, repeat=3)
    }
    found = {tuple(sorted(sample.tolist())) for sample in resample_users(USERS, 500)}
    assert found == allowed  # all 10 of them, and no other


def test_samples_are_seeded_by_the_users_alone():
    one, two = resample_users(USERS, 50), resample_users(list(USERS), 50)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    other = resample_users(["x", "x", "y", "z", "z", "z"], 50)
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_interval_of_two_users_is_known():
    """Users of means 0 and 1: a sample's mean is 0, ½ or 1 with chances ¼, ½, ¼."""
    found = interval([rows(0, 1)], ["a", "b"], mean, **HOW)
    assert found == Interval(0.5, 0.0, 1.0)
    narrow = interval([rows(0, 1)], ["a", "b"], mean, confidence=0.4, resamples=4000)
    assert narrow == Interval(0.5, 0.5, 0.5)


def test_one_user_has_no_spread_however_many_queries():
    assert interval([rows(*range(10))], ["a"] * 10, mean, **HOW) == Interval(4.5, 4.5, 4.5)


def test_queries_of_a_user_are_not_independent():
    """The same values by 5 users spread more than by 50: hence the clustering."""
    values = rows(*([0.0] * 20 + [1.0] * 30))
    clustered = interval([values], [f"u{n // 10}" for n in range(50)], mean, **HOW)
    single = interval([values], [f"u{n}" for n in range(50)], mean, **HOW)
    assert clustered.value == single.value == 0.6
    assert clustered.high - clustered.low > 2 * (single.high - single.low)


def test_users_of_one_query_each_give_scipys_percentile_bootstrap():
    values = np.random.default_rng(0).normal(size=60)
    ours = interval([rows(*values)], [str(n) for n in range(60)], mean, **HOW)
    theirs = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.02)


def test_seeds_are_averaged():
    seeds = [rows(0, 0, 1), rows(1, 1, 1)]
    found = interval(seeds, ["a", "a", "b"], mean, **HOW)
    assert found.value == pytest.approx((1 / 3 + 1) / 2)
    assert (found.low, found.high) == (pytest.approx(0.5), 1.0)


def test_identical_rows_differ_by_nothing():
    values = [rows(3, 1, 2, 5, 4, 0)]
    found = difference(values, values, USERS, mean, **HOW)
    assert found == Interval(0.0, 0.0, 0.0)
    assert not found.excludes_zero


def test_a_difference_is_paired():
    """Noisy rows that differ by exactly 1: unpaired samples would hide it."""
    values = np.random.default_rng(0).normal(scale=10, size=6)
    found = difference([rows(*(values + 1))], [rows(*values)], USERS, mean, **HOW)
    assert found.value == pytest.approx(1)
    assert (found.low, found.high) == (pytest.approx(1), pytest.approx(1))
    assert found.excludes_zero


def test_the_sign_is_ours_minus_theirs():
    found = difference([rows(0, 0)], [rows(1, 3)], ["a", "b"], mean, **HOW)
    assert found == Interval(-2.0, -3.0, -1.0)
    assert found.excludes_zero


def test_a_metric_that_is_no_mean_is_reduced_per_sample():
    def spread(values):
        return float(values.max() - values.min())

    found = interval([rows(0, 4)], ["a", "b"], spread, **HOW)
    assert found == Interval(4.0, 0.0, 4.0)


@pytest.mark.parametrize(
    ("low", "high", "excludes"),
    [(-1, 1, False), (0, 1, False), (-1, 0, False), (0.1, 1, True), (-1, -0.1, True)],
)
def test_excludes_zero(low, high, excludes):
    assert Interval(0, low, high).excludes_zero is excludes
