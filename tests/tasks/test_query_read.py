"""What a prompt holds of its query, counted by hand on a tiny tokenizer."""

import pytest

from tasks import Example
from tasks.lamp import LaMP1, LaMP4
from tasks.query_read import count_query, find_kept_input
from tests.tasks.small_bpe import SmallBPE

INPUT = "Generate a headline for the following article: abcd efgh"
ASKED = Example("1", "u", INPUT, "abcd efgh", "abcd efgh", ())  # ab|cd| |ef|gh: 5 tokens


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (INPUT, 0),
        (f'"t" is the title for "x" . {INPUT}', 0),
        (INPUT[:-2], 1),  # "gh" is missing
        (INPUT[:-1], 1),  # as many tokens, "g" for "gh", and yet not the whole query
        (f'"t" is the title for "abcd" . {INPUT[:-5]}', 3),  # " ", "ef" and "gh"
        ("Generate a headline", 5),
        ("", 5),
        (f"{INPUT} My last titles: t", 0),  # a method's own prompts: the query first,
        ("My last titles: t. Now: abcd efgh", 0),  # without the instruction,
        ("My last titles: t. Now: abcd", 3),  # and the same with its end cut
        ("My last titles: t", 5),
    ],
)
def test_what_is_missing_at_the_end_is_counted(text, cut):
    assert count_query(LaMP4(), ASKED, text, SmallBPE()) == (5, cut)


def test_blanks_around_the_query_do_not_count():
    example = Example("1", "u", f"{INPUT} \n", "abcd efgh", "abcd efgh", ())
    assert count_query(LaMP4(), example, INPUT, SmallBPE()) == (5, 0)


def test_a_query_that_is_no_part_of_the_input_counts_like_the_input():
    example = Example("1", "u", "0123456789", "wxyz", "wxyz", ())  # wx|yz
    assert count_query(LaMP4(), example, "items. 01234", SmallBPE()) == (2, 1)


TITLES = (
    'For an author who has written the paper with the title "ab", which reference is related? '
    'Just answer with [1] or [2] without explanation. [1]: "cdef" [2]: "ghij"'
)


@pytest.mark.parametrize(("end", "cut"), [(None, 0), (-1, 0), (-3, 1), (-11, 3), (-15, 4)])
def test_both_candidates_of_a_citation_question_are_its_query(end, cut):
    task = LaMP1()
    example = Example("1", "u", TITLES, task.query(TITLES), task.subject(TITLES), ())
    assert example.query == "cdef ghij"  # cd|ef| |gh|ij: 5 tokens
    text = task.assemble(['"x"'], TITLES)[:end]
    assert count_query(task, example, text, SmallBPE()) == (5, cut)


def test_the_kept_part_of_an_input():
    assert find_kept_input("abcdef", "abc") == 3
    assert find_kept_input("abcdef", "items . abcd") == 4
    assert find_kept_input("abcdef", "ab ITEMS cde") == 5
    assert find_kept_input("abcdef", "abcdef and more") == 6
    assert find_kept_input("abcdef", "items") == 0
