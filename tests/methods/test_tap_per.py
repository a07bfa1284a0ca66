"""TAP-PER's P_q equals its formulas, worked out one user and item at a time."""

import math
from datetime import date

import pytest
import torch

from methods.models.token_means import TokenMeans
from methods.prefix.deploy import DeployedPlug
from methods.prefix.user_state import Stored
from methods.tap_per import TapPer, TapPerConfig
from tests.methods.plugs import EXAMPLES, TRAIN, gelu, in_float64, pplug, tiny_llm


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def mean_embedding(method, text):
    """z: [H], in float32 as vectors are stored."""
    llm = method.runtime.llm
    ids = llm.tokenizer(text, add_special_tokens=False).input_ids[: method.config.text_tokens]
    return llm.model.get_input_embeddings().weight.detach()[ids].float().mean(0).double()


def by_hand(method, example):
    """[L, H]."""
    weights = {name: value.detach() for name, value in method.plug.state_dict().items()}

    def linear(name, v):
        return weights[f"{name}.weight"] @ v + weights[f"{name}.bias"]

    query, items = mean_embedding(method, example.subject), example.history
    newest = max((date.fromisoformat(item.date) for item in items), default=None)
    pooled, total = torch.zeros_like(query), 0.0
    for item in items:
        z = mean_embedding(method, item.text)
        score = linear(
            "scorer.2", gelu(linear("scorer.0", torch.cat([query, z, query - z, query * z])))
        )
        terms = {
            "order": sum(other.date > item.date for other in items),
            "time": (newest - date.fromisoformat(item.date)).days,
        }
        for term in method.config.recency:
            score = score - weights[f"recency.rates.{term}"] * math.log(1 + terms[term])
        pooled, total = pooled + score.exp() * z, total + score.exp()
    return linear("last", pooled / total if items else pooled).reshape(method.config.n_tokens, -1)


@pytest.mark.parametrize(
    "options",
    [{}, {"recency": [], "n_tokens": 2}, {"recency": ["time"], "text_tokens": 3}],
    ids=str,
)
def test_soft_tokens_are_the_formulas(tmp_path, options):
    method = in_float64(tmp_path, "llama", method=TapPer, **options)
    expected = torch.stack([by_hand(method, example) for example in EXAMPLES])
    with torch.no_grad():
        found = method.prefix(method._batch(method._prepare(EXAMPLES)))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(found[1].flatten(), method.plug.last.bias)  # an empty history
    assert method.runtime.encoder.calls == 0


def test_a_text_is_the_mean_of_its_tokens_embeddings():
    llm = tiny_llm()
    means = TokenMeans(llm, tokens=2)
    a, b, c = (means.encode([text], side="document")[0] for text in ("a", "b", "ab" * 50))
    ids = [ids[0] for ids in llm.tokens.encode_responses(["a", "b"], 2)]
    table = llm.model.get_input_embeddings().weight.detach().numpy()
    assert (a == table[ids[0]]).all()
    assert (b == table[ids[1]]).all()
    assert c.shape == (16,)
    assert not means.encode([""], side="query").any()
    assert means.encode([], side="query").shape == (0, 16)
    assert TokenMeans(llm, tokens=3).identity != means.identity


def test_training_changes_every_part_and_lambdas_start_small(tmp_path):
    method = pplug(tmp_path, TapPer)
    before = {name: weight.detach().clone() for name, weight in method.plug.named_parameters()}
    assert all(0 < abs(before[f"recency.rates.{term}"]) < 0.2 for term in ("order", "time"))
    method.fit(TRAIN, None)
    assert not [n for n, w in method.plug.named_parameters() if torch.equal(w, before[n])]


def test_without_a_user_only_a_bias_is_trained(tmp_path):
    method = pplug(tmp_path, TapPer, user=False)
    method.fit(TRAIN, None)
    assert method.cost().trainable_shared == 8 * 16
    assert method.cost().bytes_per_user == 0
    assert len(method.predict(EXAMPLES)) == 7
    assert not TapPer.is_personal(TapPerConfig(user=False))


@pytest.mark.parametrize(("options", "values"), [({}, 18), ({"recency": []}, 16)], ids=str)
def test_a_user_is_stored_as_vectors_and_times(tmp_path, options, values):
    method = pplug(tmp_path, TapPer, **options)
    method.runtime.population = EXAMPLES[:1]
    texts = EXAMPLES[0].history
    state = DeployedPlug(method).user_state(texts)
    assert state.stored is method.stored is Stored.HISTORY
    assert method.cost().bytes_per_user == state.bytes == 2 * 3 * values
    h, tokens = 16, 8
    scorer, last = 4 * h * h + h + h + 1, h * tokens * h + tokens * h
    assert method.cost().trainable_shared == scorer + last + len(method.config.recency)
