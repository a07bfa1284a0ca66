"""`bench compare`: one pair of rows in words and numbers."""

import pytest

from bench.compare import compare_methods


@pytest.fixture
def crowd(project):
    """12 users whose gold is 5. Errors: a by 2 for one, b by 2 for eight, c by 2 for two."""
    golds = project.crowd()
    for name, n_wrong in (("a", 1), ("b", 8), ("c", 2)):
        answers = {id: "3" if n < n_wrong else "5" for n, id in enumerate(golds)}
        project.says(name, answers, probe="SaysUnseeded")
    project.says("trained", dict.fromkeys(golds, "5"))
    project.suite("a", "b", "c", "trained")
    project.run()
    return project


def compare(project, ours, theirs, *overrides):
    grid = project.plan(*overrides, methods=[ours, theirs])
    return compare_methods(project.load(*overrides), grid, ours, theirs)


def test_a_pair_is_compared_by_itself(crowd):
    """7 of 12 users differ, by −2: p 2/2⁷; 7 wins, 5 ties. No correction for other rows."""
    (pair,) = compare(crowd, "a", "b")
    found = pair.comparison
    assert (pair.our_value, pair.their_value) == pytest.approx((2 / 12, 16 / 12))
    assert (found.by_user.wins, found.by_user.ties, found.by_user.losses) == (7, 5, 0)
    assert found.p == found.p_adjusted == pytest.approx(2 / 2**7)
    (back,) = compare(crowd, "b", "a")
    assert back.comparison.difference == pytest.approx(-found.difference)
    assert back.comparison.verdict == "worse"


def test_the_command_says_it_in_words(crowd, bench):
    """Differences −2 for 7 of 12: variance 140/132, error 0.297, ±2.201 of it: 0.654."""
    lines = bench("compare", "a", "b", "-t", "LaMP-3").out.splitlines()
    assert lines[:5] == [
        "LaMP-3, mae ↓, 12 queries of 12 users",
        "  a 0.167, b 1.333",
        "  a is better than b",
        "  difference -1.167 [-1.821, -0.512], a gain of +87.5%, p = 0.016",
        "  users: a is better for 7, equal for 5, worse for 0",
    ]
    assert lines[5] == "  this sample finds a difference of 0.915 or more with 80% power"
    assert lines[6] == "  a true difference of 1.167 needs 7 users"


def test_what_cannot_be_told_apart(crowd, bench):
    """One of 12 users differs: p 1."""
    text = bench("compare", "a", "c").out
    assert "  a is statistically indistinguishable from c\n" in text
    assert "p = 1.000" in text


def test_one_seed_is_no_claim(crowd, bench):
    text = bench("compare", "trained", "b").out
    assert "nothing is claimed: 1 seed, of 3 needed" in text
    crowd.run("seeds=[0, 1, 2]")
    text = bench("compare", "trained", "b", "--set", "seeds=[0, 1, 2]").out
    assert "  trained is better than b\n" in text
    assert "  seeds: trained is better for 3, equal for 0, worse for 0\n" in text


def test_a_method_outside_the_suite_must_be_run_first(crowd, bench):
    done = bench("compare", "a", "mean-score")
    assert done.code == 2
    assert "no task on which both 'a' and 'mean-score' are done" in done.err
    assert "bench run s -m a -m mean-score" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "a"), "'a' is compared with itself"),
        (("a", "bb"), "unknown method 'bb'"),
        (("a", "b", "nowhere"), "unknown suite 'nowhere'"),
        (("a", "b", "-t", "LaMP-9"), "task 'LaMP-9' is not in the suite"),
    ],
)
def test_mistakes_are_messages(crowd, bench, arguments, message):
    done = bench("compare", *arguments)
    assert (done.code, message in done.err) == (2, True)
