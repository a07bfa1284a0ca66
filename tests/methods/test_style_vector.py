"""Style vectors by hand, and the choice of layer and strength; steering is in test_hidden_states."""

import pytest
import torch

from methods.models.hidden_states import Steering, read_last_states
from methods.style_vector import StyleVector, TaskVector
from methods.zero_shot import ZeroShot
from tasks.common.errors import ConfigError, ModelError
from tests.methods.helpers import behavior, build, example, split
from tests.methods.models.builders import LINES, PROMPTS, llm

TEXTS = [*LINES, *PROMPTS]
USERS = [
    example(str(n), text, [behavior(f"{n}-{i}", TEXTS[(n + i) % 9], str(n)) for i in range(n)])
    for n, text in enumerate(TEXTS[:5])
]
GOLDS = {user.id: TEXTS[2 + n] for n, user in enumerate(USERS)}  # which steering makes likelier
TRAIN = split(GOLDS, USERS)
BUDGETS = {"max_input_tokens": 100, "max_response_tokens": 8}


def make(method, folder, config=None, **decoding):
    decoding = {"num_beams": 1, "max_new_tokens": 4} | decoding
    model = llm("llama", device="cpu", decoding=decoding)
    made = build(method, folder, config, llm=model)
    made.runtime.population = USERS
    made.task.max_new_tokens = 8
    return made


def texts(predictions):
    return [prediction.text for prediction in predictions]


def by_hand(method, user, layers):
    """The mean over items, each read alone: [L, H]."""
    model = method.runtime.llm
    found = []
    for item in user.history:
        ((x, y),) = method.task.training_pairs(example("any", history=[item]))
        (answer,) = model.generate([x], max_new_tokens=8, max_input_tokens=100)
        own, theirs = (
            read_last_states(model, layers, [x], [text], **BUDGETS)[0] for text in (y, answer.text)
        )
        found.append(own - theirs)
    return torch.stack(found).mean(0) if found else torch.zeros(len(layers), 16)


def test_a_vector_is_the_mean_over_the_users_items(tmp_path):
    method = make(StyleVector, tmp_path, {"depths": (0.0, 0.9)})
    assert method.layers == [0, 1]
    found = method.find_vectors(USERS)
    for vectors, user in zip(found, USERS, strict=True):
        assert torch.allclose(vectors, by_hand(method, user, [0, 1]), atol=1e-5)
    newest = make(StyleVector, tmp_path / "newest", {"depths": (0.0,), "max_items": 1})
    last = [example("1", user.query, user.history[-1:]) for user in USERS]
    assert torch.equal(newest.find_vectors(USERS), newest.find_vectors(last))


def test_fit_takes_what_lowers_the_golds_loss_most(tmp_path):
    method = make(StyleVector, tmp_path, {"depths": (0.0, 0.9), "strengths": (0.5, 2.0)})
    notes = method.fit(TRAIN, None).notes
    model, losses = method.runtime.llm, {}
    for layer in (0, 1):
        vectors = torch.stack([by_hand(method, user, [layer])[0] for user in USERS])
        for strength in (0.0, 0.5, 2.0):
            steering, nll, tokens = Steering(model, layer, strength * vectors), 0.0, 0
            for row, user in enumerate(USERS):
                with steering.scoring([row], [user.input], 100):
                    loss, count = model.loss([user.input], [GOLDS[user.id]], **BUDGETS)
                nll, tokens = nll + loss.item(), tokens + count.item()
            losses[layer, strength] = nll / tokens
    best = min(losses, key=lambda choice: losses[choice])
    assert (notes["layer"], notes["strength"]) == best
    assert notes["loss"] == pytest.approx(losses[best], rel=1e-4)
    assert notes["loss_unsteered"] == pytest.approx(losses[0, 0.0], rel=1e-4)
    assert notes["loss"] < notes["loss_unsteered"]
    assert notes["choices"] == 5


def test_answers_are_steered_and_a_saved_choice_gives_the_same(tmp_path):
    method = make(StyleVector, tmp_path, {"depths": (0.0, 0.9), "strengths": (0.5, 2.0)})
    method.fit(TRAIN, None)
    found = texts(method.predict(USERS))
    plain = texts(make(ZeroShot, tmp_path / "plain").predict(USERS))
    assert found[0] == plain[0]  # no history
    assert found != plain
    assert [texts(method.predict([user]))[0] for user in USERS] == found
    method.save(tmp_path / "saved")
    again = make(StyleVector, tmp_path / "again", {"depths": (0.0, 0.9)})
    again.load(tmp_path / "saved")
    assert texts(again.predict(USERS)) == found
    other = make(StyleVector, tmp_path / "other", {"depths": (0.0,)})
    with pytest.raises(ModelError, match="is none of"):
        other.load(tmp_path / "saved")


def test_the_task_vector_is_one_for_all(tmp_path):
    method = make(TaskVector, tmp_path, {"depths": (0.9,), "choice_examples": 4})
    mean = torch.stack([by_hand(method, user, [1]) for user in USERS[:4]]).mean(0)
    assert torch.allclose(method.find_vectors(USERS), mean.expand(5, -1, -1), atol=1e-5)
    assert not TaskVector.is_personal(method.config)


def test_labels_chosen_by_likelihood_are_refused(tmp_path):
    method = make(StyleVector, tmp_path, rule="likelihood")
    with pytest.raises(ConfigError, match="chooses the likeliest label"):
        method.fit(TRAIN, None)
