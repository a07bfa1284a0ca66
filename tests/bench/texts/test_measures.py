"""Length and copying, against counts made by hand."""

import pytest

from bench.texts.measures import (
    count_all_copied,
    count_copied,
    count_lengths,
    divide,
    find_runs,
)


def test_length_ratio_is_a_ratio_of_sums():
    """2 + 4 + 0 words against 1 + 4 + 3: 6/8, while the mean of ratios would be (2 + 1 + 0)/3."""
    rows = count_lengths(["Two words!", "a b c d", None], ["one", "A, B; C d.", "x y z"])
    assert rows.tolist() == [[2, 1], [4, 4], [0, 3]]
    assert divide(rows) == 0.75
    assert divide(count_lengths([None], [""])) == 0


def test_words_are_read_in_any_script():
    assert count_lengths(["Привет, мир"], ["你好"]).tolist() == [[2, 2]]


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("one two three four", (4, 4)),  # the whole run
        ("One two, THREE four new", (4, 5)),  # case and punctuation don't matter
        ("one two three x four", (0, 5)),  # broken up
        ("two three four five six", (5, 5)),  # two runs that overlap
        ("one two three", (0, 3)),  # three words are no run
        ("three four five six one two three four", (8, 8)),  # two runs in another order
        ("five six seven eight", (0, 4)),  # crosses from one text of the history to another
        (None, (0, 0)),
    ],
)
def test_words_of_runs_that_the_history_has(text, copied):
    runs = find_runs(["One two three four five six.", "seven eight nine"])
    assert len(runs) == 3
    assert count_copied(text, runs) == copied


def test_shares_are_over_all_words_of_a_row():
    histories = [["a b c d"], ["e f g h"]]
    first, second = count_all_copied(
        [["a b c d", "x x x x x x"], ["e f g h", None]], (iter(texts) for texts in histories)
    )
    assert (first.tolist(), divide(first)) == ([[4, 4], [0, 6]], 0.4)
    assert (second.tolist(), divide(second)) == ([[0, 4], [0, 0]], 0)
