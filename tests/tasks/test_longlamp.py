"""LongLaMP's prompts, as its released code writes them, and the queries behind them."""

import pytest

from tasks.budget import LAMP
from tasks.example import Example
from tasks.longlamp import ALL, LongLaMPAbstract, LongLaMPReview, LongLaMPTopic
from tasks.templates.lamp_task import FormError

ABSTRACT = 'Generate an abstract for the title "Own" using the following items: 1. maps 2. graphs'
REVIEW = (
    "Generate the review text written by a reviewer who has a given an overall rating of "
    '"4" for a product with description "A "big" lamp". The summary of the review text is "Bright".'
)
TOPIC = "Generate the content for a reddit post My cat and me"
PAPER = {"id": "p1", "title": "Old", "abstract": "We map."}
PRODUCT = {
    "id": "r1", "overall": "5", "summary": "Fine", "description": 'A "red" mug', "reviewText": "I like it.",
}  # fmt: skip
POST = {"id": "t1", "summary": "My dog", "content": "He barks a lot."}


class Words:
    """A tokenizer whose tokens are words."""

    def count(self, text):
        return len(text.split())

    def truncate(self, text, tokens):
        return " ".join(text.split()[: max(tokens, 0)])


def ask(task, input, items, max_length=500):
    behaviors = [task.behavior(item) for item in items]
    example = Example("1", "u", input, task.query(input), task.subject(input), tuple(behaviors))
    return task.personalized_prompt(example, behaviors, Words(), max_length, LAMP)


def test_prompts_are_the_released_codes():
    items = [PAPER, {"id": "p2", "title": "Older", "abstract": "We draw."}]
    assert ask(LongLaMPAbstract(), ABSTRACT, items) == (
        '"We map." is the abstract for the title "Old", and '
        '"We draw." is the abstract for the title "Older". '
        "Use the above abstracts as context to understand the style and language of the user and, "
        + ABSTRACT
    )
    assert ask(LongLaMPReview(), REVIEW, [PRODUCT]) == (
        '"5" is a rating for the product with description "A "red" mug". '
        '"Fine" is summary for "I like it." . Following the given patterns ' + REVIEW
    )
    assert ask(LongLaMPTopic(), TOPIC, [POST]) == (
        '"My dog" is a summary for "He barks a lot." . Following the given patterns ' + TOPIC
    )


def test_the_users_text_is_cut_and_what_was_asked_for_is_not():
    """An item without its text takes 8 words, since a blank between quotes divides them."""
    task, post = LongLaMPTopic(), POST | {"content": "a b c d e f g h"}
    behavior = task.behavior(post)
    assert (
        task.demonstration(behavior, None, Words()) == '"My dog" is a summary for "a b c d e f g h"'
    )
    assert task.demonstration(behavior, 10, Words()) == '"My dog" is a summary for "a b"'
    with pytest.raises(ValueError, match="without its content"):
        task.demonstration(behavior, 3, Words())


def test_an_abstract_shows_at_most_750_words():
    task = LongLaMPAbstract()
    long = task.behavior(PAPER | {"abstract": " ".join(["word"] * 800)})
    assert task.demonstration(long, None, Words()).count("word") == 750


def test_what_is_retrieved_with_and_from():
    found = [(task().query(input), task().behavior(item).text) for task, input, item in (
        (LongLaMPAbstract, ABSTRACT, PAPER), (LongLaMPReview, REVIEW, PRODUCT),
        (LongLaMPTopic, TOPIC, POST),
    )]  # fmt: skip
    assert found == [
        ('Generate an abstract for the title "Own" using the following items:', "Old We map."),
        (REVIEW, '5 Fine A "red" mug I like it.'),
        ("My cat and me", "My dog He barks a lot."),
    ]


def test_a_history_trains_on_the_tasks_own_inputs():
    pairs = []
    for task, item in (
        (LongLaMPAbstract(), PAPER),
        (LongLaMPReview(), PRODUCT),
        (LongLaMPTopic(), POST),
    ):
        example = Example("1", "u", "", "", "", (task.behavior(item),))
        pairs += task.training_pairs(example)
    review = REVIEW.partition('"4"')[0]
    assert pairs == [
        ('Generate an abstract for the title "Old"', "We map."),
        (f'{review}"5" for a product with description "A "red" mug". '
         'The summary of the review text is "Fine".', "I like it."),
        ("Generate the content for a reddit post My dog", "He barks a lot."),
    ]  # fmt: skip


@pytest.mark.parametrize(("task", "own"), [*zip(ALL, (ABSTRACT, REVIEW, TOPIC), strict=True)])
def test_inputs_of_other_tasks_are_refused(task, own):
    headline = "Generate a headline for the following article: x"
    for input in {ABSTRACT, REVIEW, TOPIC, headline} - {own}:
        with pytest.raises(FormError, match=f"not a {task.name} prompt") as error:
            task().query(input)
        assert "bench data longlamp" in error.value.hint
