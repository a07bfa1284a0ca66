"""Intervals, tests and power, against values worked out by hand, by enumeration or by scipy."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, binomtest, t

from bench.statistics import (
    Comparison,
    Sample,
    adjust_holm,
    compare,
    compare_values,
    correct,
    count_seeds_needed,
    count_users_needed,
    estimate,
    estimate_effects,
    find_detectable,
    find_p_by_sign_flips,
    find_separable,
    partition,
)
from bench.statistics.significance import _toss_coins

TWELVE = tuple(f"user {n}" for n in range(12))


def mean(rows):
    return float(rows[:, 0].mean())


def column(*values):
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def sample(*seeds, users=TWELVE, **more):
    options = {"is_mean": True} | more
    return Sample([column(*values) for values in seeds], partition(users), mean, **options)


def test_a_partition_knows_each_users_examples():
    users = partition(("b", "a", "b", "c"))
    assert (users.names, users.n_users) == (("a", "b", "c"), 3)
    assert users.sizes.tolist() == [1, 2, 1]
    assert [own.tolist() for own in users.members] == [[1], [0, 2], [3]]
    assert users.sum(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [2, 4, 4]
    merged = users.merge(2)
    assert merged.n_users == 2
    assert merged.codes[0] == merged.codes[2]  # a user's examples stay together


@pytest.mark.parametrize("is_mean", [True, False])
def test_pseudo_values_of_users_with_unequal_numbers_of_queries(is_mean):
    """Mean 21 / 6; without a 17 / 4, without b 16 / 5, without c 9 / 3."""
    found = sample([1, 3, 5, 2, 2, 8], users=("a", "a", "b", "c", "c", "c"), is_mean=is_mean)
    assert found.value == 3.5
    assert found.pseudo_values[0] == pytest.approx([2.0, 4.1, 4.5])
    assert found.by_user[0] == pytest.approx([2, 5, 4])


def test_the_interval_of_one_query_a_user_is_students():
    values = np.random.default_rng(0).normal(size=12)
    found = estimate(sample(values))
    low, high = t.interval(0.95, 11, values.mean(), values.std(ddof=1) / 12**0.5)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_queries_of_a_user_are_not_independent():
    """60 values of 12 users, equal within a user, say no more than 12."""
    values = np.random.default_rng(0).normal(size=12)
    once = estimate(sample(values))
    often = estimate(sample(np.repeat(values, 5), users=tuple(np.repeat(TWELVE, 5))))
    assert (often.low, often.high) == (pytest.approx(once.low), pytest.approx(once.high))


def test_an_interval_ends_where_the_metric_does():
    values = [1.0] * 11 + [0.0]
    assert estimate(sample(values)).high > 1
    assert estimate(sample(values, bounds=(0.0, 1.0))).high == 1


@pytest.mark.parametrize(
    ("values", "users", "reason"),
    [
        ([1, 0, 1, 0, 0], ("ann",) * 5, "1 user, of 10 needed"),  # fault 18
        ([1, 1, 1], ("a", "b", "c"), "3 users, of 10 needed"),
        ([1] * 12, TWELVE, "all users alike"),
    ],
)
def test_an_interval_that_users_cannot_give_is_withheld(values, users, reason):
    found = estimate(sample(values, users=users))
    assert (found.low, found.high, found.withheld) == (None, None, reason)


def test_a_comparison_of_few_users_claims_nothing():
    ours, theirs = (sample([v] * 9, users=TWELVE[:9]) for v in (1, 0))
    found = compare(ours, theirs)
    assert (found.difference, found.low, found.p, found.verdict) == (1, None, None, "unclear")
    assert found.withheld == "9 users, of 10 needed"
    assert (found.by_user.wins, found.by_user.ties, found.by_user.losses) == (9, 0, 0)


def test_ten_users_are_enough():
    users = TWELVE[:10]
    values = [1, 0] * 5
    assert estimate(sample(values, users=users)).withheld == ""
    assert compare(sample(values, users=users), sample(values[::-1], users=users)).p is not None


def test_accuracy_is_tested_by_sums_over_each_users_queries():
    """One user with four queries, nine with one: the user's four count four times as much."""
    users = (*TWELVE[:10], *[TWELVE[0]] * 3)
    ours = [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    theirs = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    found = compare(sample(ours, users=users), sample(theirs, users=users))
    assert found.p == pytest.approx(enumerate_p([4, 1, 1, 1, 1, 1, -1]))


@pytest.mark.parametrize(("reached", "separable"), [(2.5, False), (3.5, True)])
def test_a_single_seed_counts_as_much_as_its_users(reached, separable):
    """The error grows by √2: t is 2.5 or 3.5 by users alone, p .03 or .005; then .10 or .03."""
    values = np.random.default_rng(0).normal(size=12)
    values = (values - values.mean()) / values.std(ddof=1) + reached / 12**0.5
    found = compare(sample(values, seeded=True), sample([0.0] * 12))
    assert find_separable([found]) == [separable]
    assert found.verdict == "unclear"


def test_effects_of_a_small_table():
    """Mean squares: users 6.5, seeds 13.5, rest 1.5."""
    found = estimate_effects(np.array([[1.0, 2, 3], [3, 4, 8]]))
    assert (found.seed, found.user, found.residual) == pytest.approx((4, 2.5, 1.5))
    assert found.error == pytest.approx((18.5 / 6) ** 0.5)
    assert found.error_with(seeds=2, users=3) == pytest.approx(found.error)
    assert found.error_with(seeds=4, users=3) == pytest.approx((1 + 2.5 / 3 + 1.5 / 12) ** 0.5)
    share = 12 / 18.5
    expected = share * t.ppf(0.975, 1) + (1 - share) * t.ppf(0.975, 2)
    assert found.quantile(0.975) == pytest.approx(expected)


def test_p_is_the_level_whose_interval_ends_at_zero():
    seeds = np.array([[-0.5], [0.0], [0.5]])
    found = estimate_effects(np.random.default_rng(1).normal(1, 1, size=(3, 20)) + seeds)
    assert found.seed_share > 0.5
    for difference in (0.5, 1.0, -1.0):
        p = found.find_p(difference)
        assert 0 < p < 0.5
        assert found.quantile(1 - p / 2) * found.error == pytest.approx(abs(difference))
    alone = estimate_effects(np.random.default_rng(1).normal(1, 1, size=(1, 20)))
    assert alone.find_p(1.0) == pytest.approx(2 * t.sf(1 / alone.error, 19))


def test_seeds_widen_an_interval():
    """Two rows of equal means over users; one moves by ±0.3 with the seed."""
    values = np.random.default_rng(0).normal(size=12)
    still = sample(values, values, values, seeded=True)
    moved = sample(values - 0.3, values, values + 0.3, seeded=True)
    widths = [found.high - found.low for found in map(estimate, (still, moved))]
    assert widths[1] > 1.3 * widths[0]
    assert estimate(still).low == pytest.approx(estimate(sample(values)).low)


def enumerate_p(sums):
    signs = np.array(list(product((-1, 1), repeat=len(sums))))
    return np.mean(np.abs(signs @ np.array(sums)) >= abs(sum(sums)) - 1e-9)


@pytest.mark.parametrize(
    "sums", [[1, 2, -1, 3], [1, 1, 1, -1, 1, 4, 2], [0.3, 0.1, -0.2, 0.7], [2, 2, 2, 2, 0, 0]]
)
def test_sign_flips_match_enumeration(sums):
    assert find_p_by_sign_flips(np.array(sums)) == pytest.approx(enumerate_p(sums))


@pytest.mark.parametrize(("better", "worse"), [(6, 0), (9, 2), (5, 5), (130, 97)])
def test_one_query_a_user_gives_mcnemars_exact_test(better, worse):
    sums = np.array([1.0] * better + [-1.0] * worse + [0.0] * 40)
    expected = binomtest(better, better + worse).pvalue
    assert find_p_by_sign_flips(sums) == pytest.approx(expected)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 2500])  # 2 ** 2500 is no float
def test_coins_are_tossed_as_scipy_tosses_them(count):
    chances = binom.pmf(np.arange(count + 1), count, 0.5)
    np.testing.assert_allclose(_toss_coins(count), chances, rtol=1e-11, atol=1e-300)


def test_many_users_are_flipped_at_random():
    sums = np.random.default_rng(0).normal(0.25, 1, size=60)
    found = find_p_by_sign_flips(sums)
    assert found == find_p_by_sign_flips(sums)  # the same whatever ran before
    assert found == pytest.approx(
        t.sf(sums.mean() / (sums.std(ddof=1) / 60**0.5), 59) * 2, abs=0.01
    )
    assert find_p_by_sign_flips(np.zeros(5)) == 1


def test_holm():
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([0.9, 0.8]) == [1, 1]
    assert adjust_holm([]) == []


def test_comparisons_made_together_are_corrected_without_those_that_claim_nothing():
    found = correct(
        [
            Comparison(1, 0.95, True, None, p=0.03, p_adjusted=0.03),
            Comparison(1, 0.95, True, None, p=0.001, p_adjusted=0.001, unproven="1 seed"),
            Comparison(1, 0.95, False, None, p=0.01, p_adjusted=0.01),
            compare_values(1, 2),
        ]
    )
    assert [one.p_adjusted for one in found] == [0.03, 0.001, 0.02, None]
    assert [one.verdict for one in found] == ["better", "unclear", "worse", "unclear"]


def test_a_difference_is_paired_and_its_sign_is_ours_minus_theirs():
    """Noisy rows that differ by 1 or 2: unpaired, no test could find it."""
    values = np.random.default_rng(0).normal(scale=100, size=12)
    found = compare(sample(values + [1, 2] * 6), sample(values), confidence=0.95)
    assert found.difference == pytest.approx(1.5)
    half = t.ppf(0.975, 11) * (3 / 11) ** 0.5 / 12**0.5
    assert (found.low, found.high) == (pytest.approx(1.5 - half), pytest.approx(1.5 + half))
    assert found.p == pytest.approx(2 / 2**12)
    assert (found.verdict, found.n_users, found.n_seeds) == ("better", 12, 1)


def test_of_an_error_a_negative_difference_is_better():
    found = compare(*(sample(v, higher_is_better=False) for v in ([1, 2] * 6, [2, 4] * 6)))
    assert (found.difference, found.gain, found.relative) == (-1.5, 1.5, 50)
    assert (found.verdict, found.by_user.wins, found.by_seed.wins) == ("better", 12, 1)


def test_equal_rows_differ_by_nothing():
    found = compare(sample(range(12)), sample(range(12)))
    assert (found.difference, found.p, found.verdict) == (0, 1, "unclear")
    assert found.withheld == "all users alike"


@pytest.mark.parametrize(
    ("seeds", "unproven"), [((0,), "1 seed"), ((0, 1), "2 seeds"), ((0, 1, 2), "")]
)
def test_a_claim_of_a_trained_row_needs_three_seeds(seeds, unproven):
    noise = np.random.default_rng(0).normal(size=(len(seeds), 12))
    trained = sample(*(5 + noise), seeds=seeds, seeded=True)
    found = compare(trained, sample([0] * 12))
    assert (found.unproven, found.n_seeds) == (unproven, len(seeds))
    assert found.verdict == ("unclear" if unproven else "better")
    assert found.low is not None  # the interval is shown all the same
    assert compare(sample([0] * 12), trained).difference == pytest.approx(-found.difference)


def test_seeds_are_paired_by_name():
    ours = sample([1] * 12, [2] * 12, [9] * 12, seeds=(0, 1, 2), seeded=True)
    theirs = sample([1] * 12, [0] * 12, seeds=(1, 0), seeded=True)
    found = compare(ours, theirs)  # 1 − 0 and 2 − 1; the third seed has no partner
    assert (found.difference, found.n_seeds, found.unproven) == (1, 2, "2 seeds")
    apart = compare(ours, sample([0] * 12, seeds=(7,), seeded=True))
    assert apart.unproven == "no common seed"


def test_a_metric_that_is_no_mean_is_compared_by_pseudo_values():
    def spread(rows):
        return float(rows[:, 0].max() - rows[:, 0].min())

    ours, theirs = (
        Sample([column(*values)], partition(TWELVE), spread)
        for values in (range(0, 24, 2), range(12))
    )
    found = compare(ours, theirs)
    assert found.difference == 22 - 11
    assert found.low < 11 < found.high
    assert found.by_user.ties == 12  # one query alone has no spread


def test_what_a_sample_finds_and_what_a_difference_needs():
    """Standard deviation 1 over 25 users: (1.96 + 0.84)² / 0.5² = 31.4 users find 0.5."""
    values = np.arange(25.0)
    effects = estimate_effects(((values - 12) / values.std(ddof=1))[None, :])
    assert effects.error == pytest.approx(0.2)
    expected = 0.2 * (t.ppf(0.975, 24) + t.ppf(0.8, 24))
    assert find_detectable(effects, confidence=0.95) == pytest.approx(expected)
    assert count_users_needed(effects, 0.5, confidence=0.95) == 32
    assert count_users_needed(effects, 0, confidence=0.95) is None


def test_no_number_of_users_makes_up_for_few_seeds():
    table = np.array([-1.0, 0, 1])[:, None] + np.random.default_rng(0).normal(size=(3, 40)) / 10
    effects = estimate_effects(table)
    assert count_users_needed(effects, 0.5, confidence=0.95) is None
    assert 25 < count_seeds_needed(effects, 0.5, confidence=0.95) < 40


def test_rows_that_the_best_does_not_exceed():
    best = sample([4] * 12)
    near, far = sample([4] * 8 + [2] * 4), sample([4] * 2 + [2] * 10)
    found = [compare(row, best).p for row in (near, far)]
    assert found == pytest.approx([2 / 2**4, 2 / 2**10])
    assert find_separable([compare(row, best) for row in (near, far)]) == [False, True]
    few = [compare(sample([n] * 3, users=TWELVE[:3]), sample([1] * 3, users=TWELVE[:3]))
           for n in (0, 1)]  # fmt: skip
    assert find_separable(few) == [None, None]


def test_one_seed_separates_less_than_users_alone_would():
    values = np.linspace(-0.9, 2.5, 12)
    known = compare(sample(values), sample([0] * 12))
    trained = compare(sample(values, seeded=True), sample([0] * 12))
    assert known.p == trained.p < 0.05
    assert find_separable([known, trained][:1]) == [True]
    assert find_separable([trained]) == [False]
