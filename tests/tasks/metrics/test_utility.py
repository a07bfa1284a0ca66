"""Utilities compared with values computed by hand."""

import pytest

from tasks.common.errors import ConfigError
from tasks.lamp import LaMP2, LaMP3, LaMP4
from tasks.metrics.utility import utilities


def test_a_label_is_right_or_wrong():
    texts = [" comedy\n", "Comedy", "", None, "action"]
    assert utilities(LaMP2(), texts, ["comedy"] * 5) == [1, 0, 0, 0, 0]


def test_an_error_is_scaled_by_the_farthest_label():
    # The farthest label from 5 is 1, 4 away; from 2: 5, 3 away; from 3: both ends, 2 away.
    texts = ["5", "4", "1", "2", "1", "5", "3", "1"]
    golds = ["5", "5", "5", "2", "2", "2", "3", "3"]
    expected = [1, 3 / 4, 0, 1, 2 / 3, 0, 1, 0]
    assert utilities(LaMP3(), texts, golds) == pytest.approx(expected)


def test_an_answer_that_is_no_score_has_utility_0():
    texts = ["five", "", None, "nan", "-3", "4000", "3.5"]
    expected = [0, 0, 0, 0, 0, 0, 1 - 1.5 / 4]
    assert utilities(LaMP3(), texts, ["5"] * 7) == pytest.approx(expected)


def test_the_utility_of_a_text_is_its_rouge_1():
    # Overlap 2 words of 3 and of 4: precision 2/3, recall 1/2, F 4/7.
    texts = ["the river rises", "a salt river rises again", None]
    found = utilities(LaMP4(), texts, ["river rises by night", "tea", "tea"])
    assert found == pytest.approx([4 / 7, 0, 0])


def test_no_answers():
    assert utilities(LaMP2(), [], []) == utilities(LaMP3(), [], []) == []


def test_a_metric_without_a_value_per_example_is_refused():
    class ByF1(LaMP2):
        metrics = ("f1", "accuracy")

    with pytest.raises(ConfigError, match="LaMP-2's primary metric 'f1' is not defined for one"):
        utilities(ByF1(), ["comedy"], ["comedy"])
