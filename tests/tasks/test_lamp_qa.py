"""LaMP-QA: what the model reads, what only a judge reads, and the metric without a judge."""

import pytest

from tasks.common.rubric import Aspect, Rubric, RubricError
from tasks.example import Example, Prediction
from tasks.lamp_qa import ALL, LaMPQAArt
from tasks.metrics import create, names
from tasks.templates.lamp_task import FormError
from tests.tasks.support import Words

ASK = "Answer the following question of a user: Which user: guide is good?"
RUBRIC = Rubric(
    "I love Bach.",
    (Aspect("Old music of Bach", "Taste.", "love Bach"), Aspect("Of it")),
)


def test_the_model_reads_question_and_posts_only():
    task = LaMPQAArt()
    posts = [task.behavior({"id": n, "text": f"Post {n}."}) for n in (1, 2)]
    assert [(b.id, b.text, b.content, b.response) for b in posts[:1]] == [
        ("1", "Post 1.", "Post 1.", None)
    ]
    query = task.query(ASK)
    assert query == "Which user: guide is good?"
    example = Example("q", "q", ASK, query, query, tuple(posts))
    assert task.personalized_prompt(example, posts, Words(), 100) == (
        '"Post 1." , and "Post 2." are past posts of the user. Considering what they show of the '
        f"user's interests and needs, {ASK}"
    )
    assert task.training_pairs(example) == []
    with pytest.raises(FormError, match="not a LaMP-QA-art prompt"):
        task.query("Generate a title: x")


def test_a_gold_is_a_rubric_and_its_text_the_narrative():
    gold = RUBRIC.dump()
    assert Rubric.parse(gold) == RUBRIC
    for task in ALL:
        assert task().gold_text(gold) == "I love Bach."
        assert (task.gold_is_answer, names(task)) == (False, ("aspect_recall",))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("An answer", "is not JSON"), ("[]", "not an object"),
        ('{"rubric_aspects": [{"aspect": "a"}]}', "'narrative' is missing"),
        ('{"narrative": 3, "rubric_aspects": [{"aspect": "a"}]}', "'narrative' is not text"),
        ('{"narrative": "", "rubric_aspects": []}', "is not a list of at least one"),
        ('{"narrative": "", "rubric_aspects": [{"aspect": " "}]}', "aspect 1 has no title"),
        ('{"narrative": "", "rubric_aspects": [{"aspect": "a"}, 3]}', "aspect 2 is no object"),
        ('{"narrative": "", "rubric_aspects": [{"aspect": "a", "reason": [1]}]}', "'reason' is not"),
    ],
)  # fmt: skip
def test_what_is_no_rubric_is_refused(text, fault):
    with pytest.raises(RubricError, match=fault):
        Rubric.parse(text)


def test_aspect_recall_by_hand():
    """Titles: {music, bach} of "Old music of Bach", {of, it}: "Of it" has no longer word."""
    golds = dict.fromkeys("abcd", RUBRIC.dump())
    predictions = [
        Prediction("a", "Bach, and old Bach."),  # 1/2 and 0/2
        Prediction("b", "The music of BACH: it is fine"),  # 2/2 and 2/2
        Prediction("c", None, error="x"),
        Prediction("d", ""),
    ]
    score = create("aspect_recall", LaMPQAArt()).score(predictions, golds)
    assert [row[0] for row in score.rows] == [0.25, 1, 0, 0]
    assert (score.value, score.n, score.n_failed) == (0.3125, 4, 1)
