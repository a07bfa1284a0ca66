"""Context steering: which prompts are read against which; the mathematics is in test_contrast."""

import pytest

from methods.context_steering import ContextSteering, UserSteering
from methods.core.controls import ShuffledUser
from methods.dense import Dense
from methods.models.access import Access
from methods.models.contrast import Contrast
from methods.zero_shot import ZeroShot
from tests.methods.helpers import LetterEncoder, behavior, build, example
from tests.methods.models.builders import LINES, PROMPTS, llm

TEXTS = [*LINES, *PROMPTS]
USERS = [
    example(str(n), text, [behavior(f"{n}-{i}", TEXTS[(n + i) % 9], str(1 + i)) for i in range(n)])
    for n, text in enumerate(TEXTS[:5])
]
K = {"text_options": {"k": 2}}


def make(method, folder, config):
    model = llm("llama", device="cpu", decoding={"num_beams": 1, "max_new_tokens": 4})
    made = build(method, folder, config, llm=model, encoder=LetterEncoder(), max_input_tokens=110)
    made.runtime.population = USERS
    return made


def texts(predictions):
    return [prediction.text for prediction in predictions]


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_answers_are_steered_from_the_plain_prompt(tmp_path, strength):
    found = make(ContextSteering, tmp_path, {**K, "strength": strength})
    dense = make(Dense, tmp_path / "dense", {"k": 2})
    answers = found.runtime.llm.generate(
        [prompt.text for prompt in dense.prompts(USERS)],
        contrast=Contrast([user.input for user in USERS], strength),
        max_new_tokens=4,
        max_input_tokens=110,
    )
    predictions = found.predict(USERS)
    assert texts(predictions) == texts(answers)
    plain = dense.predict(USERS)
    assert texts(predictions) != texts(plain)
    assert [p.behaviors for p in predictions] == [p.behaviors for p in plain]


@pytest.mark.parametrize("method", [ContextSteering, UserSteering])
def test_strength_0_is_the_text_side_and_minus_1_the_other_prompt(tmp_path, method):
    dense = make(Dense, tmp_path / "dense", {"k": 2})
    assert texts(make(method, tmp_path, {**K, "strength": 0}).predict(USERS)) == texts(
        dense.predict(USERS)
    )
    other = make(method, tmp_path, {**K, "strength": -1})
    if method is ContextSteering:
        expected = make(ZeroShot, tmp_path / "plain", {}).predict(USERS)
    else:
        swap = ShuffledUser(USERS, other.runtime.seeds.child("user-steering"))
        expected = dense.predict(swap(USERS))
    assert texts(other.predict(USERS)) == texts(expected)


def test_who_has_no_history_is_answered_as_without_a_user(tmp_path):
    nobody = USERS[:1]
    assert nobody[0].history == ()
    plain = texts(make(ZeroShot, tmp_path / "plain", {}).predict(nobody))
    for method in (ContextSteering, UserSteering):
        assert texts(make(method, tmp_path, {**K, "strength": 3.0}).predict(nobody)) == plain


def test_it_needs_weights_and_is_as_personal_as_its_text_side():
    config = ContextSteering.Config()
    assert ContextSteering.access(config) is Access.WEIGHTS
    assert ContextSteering.is_personal(config)
    assert not ContextSteering.is_personal(ContextSteering.Config(text="zero-shot"))
