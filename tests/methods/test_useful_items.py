"""ROPG retrieves what helps the LLM for unseen users, where similarity misleads."""

import pytest
import torch

from methods.dense import Dense
from methods.ropg import RopgKD, RopgRL
from tests.methods.helpers import build
from tests.methods.useful_items import FirstScore, hit_rate, users, word_encoder

TRAIN, UNSEEN = users(0, 128), users(1000, 100)
TRAINING = {"learning_rate": 2e-3, "batch_size": 16, "epochs": 10, "micro_batch_size": 16}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("useful")


def rates(kind, folder, **options):
    """(hits at 1, hits at 4, right answers at 1) for unseen users."""
    encoder = word_encoder(folder / "encoder")
    place = folder / kind.name
    surroundings = {"llm": FirstScore(), "encoder": encoder, "max_input_tokens": 200}
    method = build(kind, place, {"k": 1, **options}, **surroundings)
    method.fit(TRAIN, None)
    method.save(place / "model")
    ones = method.predict(UNSEEN.examples)
    method = build(kind, place, {"k": 4, **options}, **surroundings)
    method.load(place / "model")
    fours = method.predict(UNSEEN.examples)
    right = sum(p.text == UNSEEN.golds[p.id] for p in ones) / len(ones)
    return hit_rate(ones), hit_rate(fours), right


@pytest.fixture(scope="module")
def untuned(folder):
    return rates(Dense, folder)


def test_similarity_misleads(untuned):
    # Two of eight behaviours help, so chance is .25 at 1 and 1 - C(6,4)/C(8,4) at 4.
    assert untuned[0] < 0.25
    assert untuned[1] < 1 - 15 / 70


@pytest.mark.parametrize(
    ("kind", "options", "least"), [(RopgKD, {"teacher_temperature": 0.1}, 0.9), (RopgRL, {}, 0.6)]
)
def test_the_tuned_retriever_finds_useful_behaviours(folder, untuned, kind, options, least):
    at_1, at_4, right = rates(kind, folder, training=TRAINING, temperature=4.0, **options)
    assert at_1 > least
    assert at_4 > 0.95
    assert right >= at_1 > untuned[2]
