"""The resampler equals its formulas, worked out one user, head and item at a time."""

import pytest
import torch

from methods.prefix.user_state import Stored
from methods.prefix.whitening import Whitening
from methods.resampler import CrossAttention, Resampler, ResamplerConfig
from tasks.common.errors import ConfigError
from tests.methods.plugs import EXAMPLES, TRAIN, gelu, in_float64, pplug


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def norm(weights, name, v):
    """LayerNorm."""
    centred = v - v.mean()
    scaled = centred / (centred.pow(2).mean() + 1e-5) ** 0.5
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(weights, name, v):
    return weights[f"{name}.weight"] @ v + weights.get(f"{name}.bias", 0)


def by_hand(method, example):
    """[K, H]."""
    weights = {name: value.detach() for name, value in method.plug.state_dict().items()}
    texts = [item.text for item in example.history]
    hs = torch.from_numpy(method.runtime.embeddings.get(texts, side="document")).double()
    if method.config.whiten:
        hs = (hs - weights["whitening.mean"]) @ weights["whitening.matrix"]
    items = [norm(weights, "of_items", h) for h in hs]
    tokens = []
    for query in weights["queries"]:
        z = query
        if items:
            asked = linear(weights, "attention.query", norm(weights, "of_queries", query))
            found = []
            for head in range(method.config.heads):
                size = len(asked) // method.config.heads
                part = slice(head * size, (head + 1) * size)
                keys = [linear(weights, "attention.key", item)[part] for item in items]
                values = [linear(weights, "attention.value", item)[part] for item in items]
                powers = [(asked[part] @ key / size**0.5).exp() for key in keys]
                shares = [power / sum(powers) for power in powers]
                found.append(sum(s * value for s, value in zip(shares, values, strict=True)))
            z = z + linear(weights, "attention.out", torch.cat(found))
        hidden = gelu(linear(weights, "mlp.1", norm(weights, "mlp.0", z)))
        z = z + linear(weights, "mlp.3", hidden)
        token = linear(weights, "last", z)
        tokens.append(token / token.norm() * weights["scale"])
    return torch.stack(tokens)


@pytest.mark.parametrize(
    "options", [{}, {"n_tokens": 3, "heads": 2}, {"whiten": True, "n_tokens": 2}], ids=str
)
def test_soft_tokens_are_the_formulas(tmp_path, options):
    method = in_float64(tmp_path, "t5", method=Resampler, **options)
    if method.config.whiten:
        method.plug.whitening.matrix.copy_(torch.linspace(-1, 1, 32 * 32).view(32, 32))
    expected = torch.stack([by_hand(method, example) for example in EXAMPLES])
    with torch.no_grad():
        found = method.prefix(method._batch(method._prepare(EXAMPLES)))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    table = method.runtime.llm.model.get_input_embeddings().weight.detach()
    norms = found.norm(dim=-1)
    torch.testing.assert_close(norms, table.norm(dim=1).mean().expand_as(norms))


def test_attention_of_one_head_in_two_dimensions():
    """Keys score 0 and ln 3: a quarter of (1, 0) and three quarters of (0, 1), doubled."""
    attention = CrossAttention(2, 1)
    with torch.no_grad():
        for layer, factor in ((attention.query, 1.0), (attention.key, 1.0), (attention.value, 1.0),
                              (attention.out, 2.0)):  # fmt: skip
            layer.weight.copy_(factor * torch.eye(2))
        asked = torch.tensor([[0.0, torch.log(torch.tensor(3.0)) * 2**0.5]])
        items = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]], [[5.0, 5.0]] * 3])
        mask = torch.tensor([[True, True, False], [False] * 3])
        found = attention(asked, items, mask)
    torch.testing.assert_close(found, torch.tensor([[[0.5, 1.5]], [[0.0, 0.0]]]))


def test_an_empty_history_trains_to_finite_weights(tmp_path):
    method = pplug(tmp_path, Resampler, n_tokens=2)
    method.fit(TRAIN, None)  # the second of its users has no history
    assert all(torch.isfinite(weight).all() for weight in method.plug.parameters())
    assert [p.note for p in method.predict(EXAMPLES)][1] == "empty history"


def test_without_a_user_the_tokens_are_learned_and_nothing_is_encoded(tmp_path):
    method = pplug(tmp_path, Resampler, user=False)
    method.fit(TRAIN, None)
    with torch.no_grad():
        rows = method.prefix(method._batch(method._prepare(EXAMPLES)))
    assert torch.equal(rows[0].expand_as(rows), rows)
    assert method.runtime.encoder.calls == 0
    assert method.cost().bytes_per_user == 0
    assert method.stored is None
    assert not Resampler.is_personal(ResamplerConfig(user=False))
    assert Resampler.is_personal(ResamplerConfig())


def test_a_user_is_stored_as_tokens(tmp_path):
    method = pplug(tmp_path, Resampler, n_tokens=3)
    assert method.stored is Stored.TOKENS
    assert method.cost().bytes_per_user == 2 * 3 * 16
    d, h, k = 32, 16, 3
    attention, mlp = 4 * d * d + 4 * d, 2 * d + 2 * (d * d + d)
    assert method.cost().trainable_shared == k * d + attention + mlp + d * h + h


def test_its_whitening_is_that_of_the_train_sets_distinct_texts(tmp_path):
    method = pplug(tmp_path, Resampler, whiten=True)
    method.fit(TRAIN, None)
    texts = sorted({item.text for example in EXAMPLES for item in example.history})
    expected = Whitening(32)
    expected.estimate(torch.from_numpy(method.runtime.embeddings.get(texts, side="document")))
    torch.testing.assert_close(method.plug.whitening.matrix, expected.matrix)


def test_heads_that_do_not_divide_the_dimension_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="heads = 5 does not divide the encoder's 32 dimensions"):
        _ = pplug(tmp_path, Resampler, heads=5).plug
