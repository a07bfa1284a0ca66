"""BERTScore against values worked out by hand, and token embeddings against the model's own."""

import json
import shutil

import pytest
import torch

from methods.models.bertscore import BertScore, States, match
from tasks.common.errors import ConfigError, ModelError
from tests.tiny import tiny_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("bertscore") / "encoder")


@pytest.fixture(scope="module")
def metric(folder):
    return BertScore({"model": str(folder), "device": "cpu", "max_length": 16}, "tiny")


def states(*tokens, special=((0.0, 1.0),)):
    """A special token first, then the others; all of unit length."""
    scored = [False] * len(special) + [True] * len(tokens)
    return States(torch.tensor([*special, *tokens]), torch.tensor(scored))


def test_greedy_matching_by_hand():
    """Of the candidate, .8 (to c) and .96 (to c, above .8 to the special token): P = .88.

    Of the reference, c is nearest to b: R = .96; F1 = 2 · .88 · .96 / 1.84.
    """
    candidate, reference = states((1.0, 0.0), (0.6, 0.8)), states((0.8, 0.6))
    assert match(candidate, reference) == pytest.approx((0.88, 0.96, 1.6896 / 1.84))
    assert match(reference, candidate) == pytest.approx((0.96, 0.88, 1.6896 / 1.84))
    # A token may be matched with a special one, which itself isn't scored.
    assert match(states((0.0, 1.0)), states((1.0, 0.0)))[:2] == pytest.approx((1, 0))
    assert match(states(), reference) == match(reference, states()) == (0, 0, 0)


def test_scores_of_texts(metric):
    found = metric.compute(
        predictions=["the cat sat", "a dog", "", "the cat sat"],
        references=["the cat sat", "the cat sat", "a", "a dog"],
    )
    assert found["f1"][0] == pytest.approx(1)
    assert found["f1"][2] == 0
    assert found["precision"][1] == pytest.approx(found["recall"][3])
    expected = match(metric.read("a dog"), metric.read("the cat sat"))
    assert (found["precision"][1], found["recall"][1], found["f1"][1]) == pytest.approx(expected)
    rescaled = metric.compute(predictions=["a dog"], references=["the cat sat"], baseline=0.8)
    assert rescaled["f1"] == pytest.approx([(expected[2] - 0.8) / 0.2])
    made_by = json.loads(found["hashcode"])
    assert (made_by["encoder"], made_by["layer"], len(made_by["hash"])) == ("tiny", None, 64)


def test_token_embeddings_are_the_models_own(metric):
    """Checked on the first layer: word, position and type embeddings, normalized by the model."""
    model = metric._encoder.model
    ids = model.tokenizer("the cat")["input_ids"]
    with torch.no_grad():
        embedded = model.transformers_model.embeddings(torch.tensor([ids]))[0]
        last = model.transformers_model(torch.tensor([ids])).last_hidden_state[0]
        for layer, raw in ((0, embedded), (1, last), (None, last)):
            found = metric.read("the cat", layer)
            assert torch.allclose(found.vectors, raw / raw.norm(dim=1, keepdim=True), atol=1e-6)
    assert found.scored.tolist() == [False, *[True] * (len(ids) - 2), False]
    assert len(metric.read("cat " * 50).scored) == 16  # cut at max_length


def test_what_it_cannot_do_is_said(metric):
    for options, message in (
        ({"layer": 2}, "no layer 2.*from 0 .embeddings. to 1"),
        ({"layer": -1}, "no layer -1"),
        ({"baseline": 1.0}, "below 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            metric.compute(predictions=["a"], references=["b"], **options)
    with pytest.raises(ModelError):
        BertScore({"model": "./nowhere"})


def test_the_hash_names_the_encoders_content(folder, metric, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    options = {"device": "cpu", "max_length": 16}
    assert BertScore({"model": str(moved), **options})._hash == metric._hash
    assert BertScore({"model": str(moved), **options, "max_length": 8})._hash != metric._hash
    tiny_encoder(tmp_path / "other", seed=1)
    assert BertScore({"model": str(tmp_path / "other"), **options})._hash != metric._hash
