"""Prompts, replies, agreement, lengths and the nearest other question, each by hand."""

import numpy as np
import pytest

from bench.judging.agreement import count_pairs, find_agreement, find_kappa
from bench.judging.judge import Verdict
from bench.judging.prompts import Order, read_score, write_prompt
from bench.judging.reading import cut_words, find_nearest_others, find_shortest
from bench.texts.reading import human_row
from tasks.common.rubric import Aspect


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ('{"match_score": 2}', 2), ('```json\n{"match_score": 1}\n```', 1),
        ('I think {so}: {"reason": "x", "match_score": "0"} or {"match_score": 2}', 0),
        ('{"match_score": 1.0}', 1), ('{"match_score": 1.5}', None), ('{"match_score": 3}', None),
        ('{"match_score": -1}', None), ('{"match_score": true}', None), ("2", None), ("", None),
        ('{"score": 2}', None), ('{"match_score": [2]}', None), ('{"match_score": 2', None),
    ],
)  # fmt: skip
def test_a_reply_is_a_score_or_none(reply, score):
    assert read_score(reply) == score


def test_the_order_of_a_prompt():
    aspect = Aspect("T", "R", "E")
    parts = ["Question: Q", "Explanation: N", "Answer: A", "Aspect: T", "Reason: R", "Evidence: E"]
    for order, expected in (
        (Order.QUESTION_FIRST, parts),
        (Order.ASPECT_FIRST, [*parts[3:], parts[2], *parts[:2]]),
    ):
        task, *found, ask = write_prompt("Q", "N", "A", aspect, order).split("\n\n")
        assert found == expected
        assert task.startswith("Judge how well")
        assert '{"match_score": 2}' in ask


def test_agreement_and_kappa_by_hand():
    """Of 5 pairs with both scores, 3 agree: (0,0) (2,2) (2,2) (1,2) (0,1).

    By chance: 2/5 · 1/5 + 1/5 · 1/5 + 2/5 · 3/5 = 9/25; κ = (15/25 − 9/25) / (16/25) = 3/8.
    """
    first, second = (0, 2, 2, 1, 0, None), (0, 2, 2, 2, 1, 0)
    pairs = [list(map(Verdict, scores)) for scores in (first, second)]
    rows = np.array([count_pairs(*(some[:3] for some in pairs)),
                     count_pairs(*(some[3:] for some in pairs))])  # fmt: skip
    assert find_agreement(rows) == pytest.approx(0.6)
    assert find_kappa(rows) == pytest.approx(0.375)
    assert (find_agreement(rows[:0]), find_kappa(rows[:0])) == (0, 0)
    always = np.array([count_pairs([Verdict(2)], [Verdict(2)])])
    assert (find_agreement(always), find_kappa(always)) == (1, 0)


def test_answers_are_cut_to_the_shortest_rows_mean():
    assert [cut_words(text, 2) for text in (" a  b\nc", "a", "", None)] == [" a  b", "a", "", None]
    rows = [human_row(name, texts) for name, texts in (
        ("long", ("a b c d", "a b")), ("short", ("a b", None)), ("none", (None, "")),
    )]  # fmt: skip
    assert find_shortest(rows) == 2
    assert find_shortest(rows[2:]) == 1


def test_the_nearest_question_of_another_user():
    """Words of four letters or more; q3 shares none, and takes the next one."""
    questions = ["Which jazz record?", "A jazz record or what?", "jazz record", "No?", "Film?"]
    assert find_nearest_others(questions, ["a", "b", "a", "c", "d"]) == [1, 2, 1, 4, 0]
    assert find_nearest_others(questions[:2], ["a", "a"]) is None
