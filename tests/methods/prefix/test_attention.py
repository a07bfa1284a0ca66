"""What shapes attention over a history, against values worked out by hand."""

import math

import pytest
import torch

from methods.prefix.attention import Recency, Temperature, find_largest, keep_top, softmax_over
from methods.prefix.histories import Batch

MASK = torch.tensor([[True, True, True, False], [False] * 4])


def close(found, expected):
    torch.testing.assert_close(found, torch.tensor(expected))


def batch(ages, elapsed):
    """Three behaviours and a padding, and an empty history."""
    times = [
        None if row is None else torch.tensor([[*row, 0.0], [0.0] * 4]) for row in (ages, elapsed)
    ]
    return Batch((), torch.zeros(2, 4, 1), MASK, times[0], elapsed=times[1])


def test_temperature_starts_where_it_is_set_and_stays_positive():
    temperature = Temperature(0.25)
    close(temperature(torch.tensor([[1.0, -0.5]])).detach(), [[4.0, -2.0]])
    with torch.no_grad():
        temperature.log -= 50
    assert temperature(torch.ones(1)) > 0


def test_a_softmax_over_a_mask_is_that_of_what_it_has():
    logits = torch.tensor([[0.0, math.log(3), 0.0, 9.0], [1.0] * 4])
    close(softmax_over(logits, MASK), [[0.2, 0.6, 0.2, 0], [0.0] * 4])


@pytest.mark.parametrize(
    ("p", "kept"),
    [
        (0.3, [0, 1, 0, 0]),
        (0.5, [0, 1, 0, 0]),  # the largest one is enough
        (0.51, [0, 0.625, 0.375, 0]),
        (0.8, [0, 0.625, 0.375, 0]),
        (0.81, [0.2, 0.5, 0.3, 0]),
        (1.0, [0.2, 0.5, 0.3, 0]),
    ],
)
def test_the_fewest_weights_that_sum_to_p_are_kept(p, kept):
    weights = torch.tensor([[0.2, 0.5, 0.3, 0], [0.0] * 4], dtype=torch.float64)
    torch.testing.assert_close(keep_top(weights, p), torch.tensor([kept, [0] * 4]).double())


def test_of_equal_weights_the_first_are_kept_whatever_the_padding():
    close(keep_top(torch.tensor([[0.25] * 4]), 0.5), [[0.5, 0.5, 0, 0]])
    close(keep_top(torch.tensor([[0.25] * 4 + [0.0] * 3]), 0.5), [[0.5, 0.5] + [0.0] * 5])


@pytest.mark.parametrize(
    ("k", "found"), [(1, [1]), (2, [1, 2]), (3, [0, 1, 2]), (9, [0, 1, 2])]
)  # fmt: skip
def test_the_largest_values_are_those_of_behaviours(k, found):
    values = torch.tensor([[-3.0, 1.0, -1.0, 5.0], [2.0] * 4])
    assert find_largest(values, MASK, k)[0].nonzero().flatten().tolist() == found
    assert not find_largest(values, MASK, k)[1].any()


def test_recency_is_the_sum_of_its_terms():
    """Two newer behaviours, none, one; after 10 days, none, 3."""
    recency = Recency(["order", "time"])
    now = batch([2 / 3, 0, 1 / 3], [math.log(11), 0, math.log(4)])
    assert not recency(now).any()
    with torch.no_grad():
        recency.rates["order"] += 2
        recency.rates["time"] -= 0.5
    first = 2 * math.log(3) - math.log(11) / 2
    last = 2 * math.log(2) - math.log(4) / 2
    close(recency(now).detach(), [[first, 0, last, 0], [0.0] * 4])


def test_recency_in_time_says_nothing_of_a_history_without_dates():
    recency = Recency(["time"])
    with torch.no_grad():
        recency.rates["time"] += 7
    assert not recency(batch(None, [0.0, 0.0, 0.0])).any()


def test_recency_may_start_at_random():
    torch.manual_seed(0)
    (start,) = Recency(["order"], std=0.02).parameters()
    assert 0 < abs(start) < 0.2
