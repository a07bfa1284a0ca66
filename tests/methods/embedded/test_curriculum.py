"""A batch is determined by its number, and held-out pairs are never trained on."""

import pytest

from methods.embedded.curriculum import Lesson, LessonBatches, draw_held_out
from methods.embedded.vocabulary import train_tokenizer

LESSON = Lesson(
    "demonstrations", {"demonstrations": 3, "stated": 1}, 4, 1e-3, batch_size=4, longest=100
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(0, texts=600)


def test_a_batch_does_not_depend_on_earlier_ones(tokenizer):
    one, other = (LessonBatches(LESSON, 0, tokenizer) for _ in range(2))
    first = [one.batch(step) for step in range(18)]
    assert [other.batch(step) for step in (17, 3)] == [first[17], first[3]]
    assert LessonBatches(LESSON, 1, tokenizer).batch(3) != first[3]


def test_batches_follow_the_lesson(tokenizer):
    batches = LessonBatches(LESSON, 0, tokenizer)
    inputs = [ids for step in range(32) for ids in batches.batch(step).inputs]
    assert len(inputs) == 32 * 4
    assert max(map(len, inputs)) <= 100
    assert len({tuple(ids) for ids in inputs}) == len(inputs)  # in the second chunk too
    quotes = tokenizer.convert_tokens_to_ids('\u0120"')
    demonstrated = [
        ids for ids in inputs
        if tokenizer.decode(ids).startswith(('"', ' "', "For", " For", "the tag", " 1", " 2", " 3", " 4", " 5"))
    ]  # fmt: skip
    assert quotes in demonstrated[0]
    assert 80 <= len(demonstrated) <= 112  # 96 of 128, and stated prompts that begin alike


def test_outputs_end_and_belong_to_their_inputs(tokenizer):
    batches = LessonBatches(LESSON, 0, tokenizer)
    for step in range(16):
        batch = batches.batch(step)
        assert all(ids[-1] == tokenizer.eos_token_id for ids in batch.outputs)
        for input, output in zip(batch.inputs, batch.outputs, strict=True):
            if "Paraphrase" in tokenizer.decode(input):
                assert len(output) > 10


def test_held_out_pairs_are_not_trained_on(tokenizer):
    batches = LessonBatches(LESSON, 0, tokenizer)
    taught = {tuple(ids) for step in range(32) for ids in batches.batch(step).inputs}
    examined = [
        pair
        for stage in ("stated", "demonstrations")
        for pairs in draw_held_out(stage, 10).values()
        for pair in pairs
    ]
    assert len(examined) == 120
    assert not taught & {tuple(tokenizer(input)["input_ids"]) for input, _ in examined}
    for task, pairs in draw_held_out("stated", 1).items():
        assert pairs == draw_held_out("stated", 10)[task][:1]
    assert set(draw_held_out("few", 1)) == {"LaMP-1"}
