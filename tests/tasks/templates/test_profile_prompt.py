"""The official profile prompt and its truncation, compared with hand-computed budgets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import Behavior, Example
from tasks.lamp import LaMP1, LaMP2, LaMP3, LaMP4, LaMP5, LaMP7
from tasks.templates.profile_prompt import cut_item
from tests.tasks.support import Words


def asked(task, content="a b c"):
    input = f"{task.instruction} {content}"
    return Example("1", "1", input, content, content, ())


def behaviors(*contents, response="5"):
    return [
        Behavior(str(position), content, content, response)
        for position, content in enumerate(contents)
    ]


def prompt(task, items, limit, content="a b c"):
    return task().personalized_prompt(asked(task, content), items, Words(), limit)


def test_without_behaviors_the_input_is_unchanged():
    assert prompt(LaMP3, [], 3) == f"{LaMP3.instruction} a b c"


def test_lamp3_joins_items_before_the_input():
    expected = f'5 is the score for "x y" , and 5 is the score for "z" . {LaMP3.instruction} a b c'
    assert prompt(LaMP3, behaviors("x y", "z"), 500) == expected


def test_lamp1_items_become_further_titles():
    input = (
        'For an author who has written the paper with the title "T", which reference is related? '
        'Just answer with [1] or [2] without explanation. [1]: "A" [2]: "B"'
    )
    example = Example("1", "1", input, "A B", "T", ())
    found = LaMP1().personalized_prompt(example, behaviors("x", "y"), Words(), 500)
    assert found.startswith(
        'For an author who has written the paper with the title, and "x", and "y" "T", which'
    )


def test_lamp5_and_lamp7_ask_to_follow_the_patterns():
    assert prompt(LaMP5, behaviors("x", response="T"), 500) == (
        f'"T" is a title for "x" . Following the given patterns {LaMP5.instruction} a b c'
    )
    assert prompt(LaMP7, behaviors("x", "y", response=None), 500) == (
        '"x" , and "y"  are written by a person. Following the given patterns '
        f"{LaMP7.instruction} a b c"
    )


def test_each_item_gets_an_equal_share_of_the_official_budget():
    # LaMP-4: input 7 + 3 = 10 words, limit 60: min(10, 36) reserved, 50 left, 1 for the full stop;
    # (49 - 2) // 2 = 23 an item; '"t" is the title for " "' takes 7, so 16 words of text remain.
    long = " ".join(f"w{index}" for index in range(40))
    found = prompt(LaMP4, behaviors(long, long, response="t"), 60)
    first, second = found.split(" . ")[0].split(" , and ")
    assert [len(item.split('"')[3].split()) for item in (first, second)] == [16, 16]
    assert Words().count(found) <= 60


def test_unused_tokens_roll_over_to_later_items():
    # As above, but the first item uses 4 of its 16 words: the second has 16 + 12.
    long = " ".join(f"w{index}" for index in range(40))
    found = prompt(LaMP4, behaviors("a b c d", long, response="t"), 60)
    assert len(found.split(" . ")[0].split('"')[7].split()) == 28
    assert Words().count(found) <= 60


def test_a_long_input_reserves_at_most_three_fifths_and_is_cut_at_its_end():
    content = " ".join(f"w{index}" for index in range(100))
    found = prompt(LaMP4, behaviors("x y", response="t"), 40, content)
    assert found.startswith('"t" is the title for "x y" . Generate a headline')
    assert Words().count(found) == 40
    assert "w99" not in found


def test_labels_are_never_cut_so_the_inputs_share_steps_down():
    # The title alone takes 30 words: it fits only when the input reserves less than .6 of 50.
    title = " ".join(f"t{index}" for index in range(30))
    content = " ".join(f"w{index}" for index in range(100))
    found = prompt(LaMP4, behaviors("x", response=title), 50, content)
    assert found.startswith(f'"{title}" is the title for "')
    assert Words().count(found) == 50


def test_if_no_share_fits_the_plain_input_remains():
    title = " ".join(f"t{index}" for index in range(300))
    assert prompt(LaMP4, behaviors("x", response=title), 50) == f"{LaMP4.instruction} a b c"
    assert Words().count(prompt(LaMP4, behaviors("x", response=title), 5)) == 5


def test_a_single_item_is_truncated_to_its_tokens():
    (movie,) = behaviors("a b c d e f", response="true story")
    assert LaMP2().demonstration(movie, 14, Words()) == (
        'the tag for the movie: "a b c d" is "true story"'
    )
    with pytest.raises(ValueError, match="without its content"):
        LaMP2().demonstration(movie, 4, Words())
    assert cut_item(LaMP2().item, movie, 20, Words())[1] == 4


@settings(deadline=None, derandomize=True)
@given(
    contents=st.lists(st.text("ab ", max_size=60), min_size=1, max_size=6),
    limit=st.integers(1, 80),
    task=st.sampled_from([LaMP2, LaMP3, LaMP4, LaMP5, LaMP7]),
)
def test_a_prompt_never_exceeds_its_limit(contents, limit, task):
    assert Words().count(prompt(task, behaviors(*contents), limit)) <= limit
