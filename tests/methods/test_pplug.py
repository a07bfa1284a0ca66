"""PPlug equals its paper's formulas; each variant trains exactly the parts that it has."""

import runpy
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from methods.pplug import PPlug, PPlugConfig
from methods.prefix.whitening import Whitening
from tasks.common.errors import ConfigError
from tests.methods.plugs import (
    EXAMPLES,
    GOLDS,
    TRAIN,
    ByHand,
    encoded,
    encoder,
    float64,
    in_float64,
    mlp,
    pplug,
    tiny_llm,
)

COUNTS = Path(__file__).parents[2] / "docs" / "examples" / "parameter_counts.py"
VARIANTS = [
    {},
    {"attention": False},
    {"instruction": False},
    {"user": False},
    {"temperature": 0.2},
    {"n_tokens": 3},
    {"time_decay": 1.5},
    {"time_decay": 1.5, "attention": False, "n_tokens": 2},
    {"encoder_trainable": False},
    {"labels_in_history": True},
    {"max_history": 2},
    {"history_top_k": 2, "time_decay": 0.7},
    {"learn_temperature": True, "temperature": 0.3},
    {"temperature": 0.05, "top_p": 0.6},
    {"recency": ["order", "time"], "top_p": 0.7},
    {"recency": ["time"], "attention": False},
    {"views": ["whole", "near", "recent"], "view_size": 2, "n_tokens": 2, "time_decay": 0.7},
    {"views": ["recent", "whole"], "attention": False, "whiten": True},
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pplug")


def equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_soft_tokens_are_the_formulas(folder, options):
    method = in_float64(folder, "t5", **options)
    hand = ByHand(method, folder)
    expected = torch.stack([hand.soft_tokens(example) for example in EXAMPLES])
    assert expected.shape[1] == method.config.instruction + (
        len(method.config.views) * method.config.n_tokens if method.config.user else 0
    )
    with torch.no_grad():
        used = method._prepare(EXAMPLES)
        equal(method.prefix(method._batch(used)), expected)
        for row, example in enumerate(used):
            equal(method.prefix(method._batch([example])), expected[row : row + 1])


@pytest.mark.parametrize(
    "options", [o for o in VARIANTS if o.get("attention", True) and o.get("user", True)], ids=str
)
def test_weights_of_the_history_are_the_formula(folder, options):
    method = in_float64(folder, "t5", **options)
    hand = ByHand(method, folder)
    for example, found in zip(EXAMPLES, method.weigh_history(EXAMPLES), strict=True):
        items = [item.id for item in hand.used(example)]
        assert found == pytest.approx(dict(zip(items, hand.attention(example), strict=True)))


@pytest.mark.parametrize("options", [{"attention": False}, {"user": False}], ids=str)
def test_without_attention_nothing_is_weighed(folder, options):
    assert in_float64(folder, "t5", **options).weigh_history(EXAMPLES) is None


def test_the_projector_reads_whitened_vectors(folder):
    method = in_float64(folder, "t5", whiten=True)
    whitening = method.plug.whitening
    whitening.mean.copy_(torch.linspace(-0.1, 0.2, 32))
    whitening.matrix.copy_(torch.linspace(-1, 1, 32 * 32).view(32, 32))
    hand = ByHand(method, folder)
    expected = torch.stack([hand.soft_tokens(example) for example in EXAMPLES])
    with torch.no_grad():
        equal(method.prefix(method._batch(method._prepare(EXAMPLES))), expected)


def test_whitened_vectors_have_mean_zero_and_no_covariance(monkeypatch):
    monkeypatch.setattr("methods.prefix.whitening.ROWS_AT_ONCE", 30_000)
    torch.manual_seed(0)
    mixing = torch.eye(6) + 0.2 * torch.randn(6, 6)
    vectors = 3 + torch.randn(100_000, 6).double() @ mixing.double()
    whitening = Whitening(6).double()
    whitening.estimate(vectors)
    found = whitening(vectors)
    torch.testing.assert_close(found.mean(0), torch.zeros(6).double())
    torch.testing.assert_close(torch.cov(found.T), torch.eye(6).double(), rtol=0, atol=0.01)


def test_whitening_does_not_blow_up_what_it_has_hardly_seen():
    """Variances of 8 and almost 0 in 4 vectors: 2 of 5 parts are the mean, 4."""
    vectors = torch.zeros(4, 2)
    vectors[:, 0] = torch.tensor([-1.0, 1.0, -1.0, 1.0]) * 6**0.5
    vectors[:, 1] = torch.tensor([-1.0, 1.0, 1.0, -1.0]) * 1e-5
    whitening = Whitening(2)
    whitening.estimate(vectors)
    torch.testing.assert_close(whitening.matrix, torch.diag(torch.tensor([6.4**-0.5, 1.6**-0.5])))
    many = Whitening(2)
    many.estimate(
        vectors.repeat(100_000, 1)
    )  # seen often: a hundredth of the mean, here 3, is least
    torch.testing.assert_close(many.matrix[1, 1], torch.tensor(0.03**-0.5), rtol=1e-4, atol=0)
    same = Whitening(2)
    same.estimate(torch.ones(3, 2))  # no variance at all
    assert same(torch.ones(3, 2)).abs().max() == 0
    alone = Whitening(2)
    alone.estimate(torch.ones(1, 2))
    torch.testing.assert_close(alone(vectors), vectors)


def test_the_whitening_is_that_of_the_train_splits_distinct_texts(tmp_path):
    method = pplug(tmp_path / "whitened", whiten=True)
    method.fit(TRAIN, None)
    texts = sorted({item.text for example in EXAMPLES for item in example.history})
    expected = Whitening(32)
    expected.estimate(torch.from_numpy(method.runtime.embeddings.get(texts, side="document")))
    torch.testing.assert_close(method.plug.whitening.mean, expected.mean)
    torch.testing.assert_close(method.plug.whitening.matrix, expected.matrix)
    assert pplug(tmp_path / "plain").plug.whitening is None


@pytest.mark.parametrize("kind", ["t5", "llama", "gpt2"])
def test_loss_is_that_of_each_row_alone(folder, kind):
    method = in_float64(folder, kind)
    hand = ByHand(method, folder)
    expected = [hand.nll(example, GOLDS[example.id]) for example in EXAMPLES]
    data = method._training_data(TRAIN, augment=0)
    with torch.no_grad():
        nll, tokens = data.nll(range(7), 0)
        equal(nll, torch.stack([value for value, _ in expected]))
        assert tokens.tolist() == [count for _, count in expected]
        for row, (value, count) in enumerate(expected):
            alone, counted = data.nll([row], 0)
            equal(alone, value[None])
            assert counted.tolist() == [count]


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("kind", ["t5", "llama", "gpt2"])
def test_answers_are_greedy_from_each_row_alone(folder, kind, batch_size):
    method = in_float64(folder, kind)
    method.runtime.llm._batch_size.size = batch_size
    hand = ByHand(method, folder)
    expected = [hand.answer(example) for example in EXAMPLES]
    assert len(set(expected)) > 1
    assert [found.text for found in method.predict(EXAMPLES)] == expected


def test_both_encoders_start_as_the_same_model(folder):
    """h_i without a prefix and x with the query's; float32 against float64."""
    method = pplug(folder)
    (h,) = method.runtime.embeddings.get(["bread and tea"], side="document")
    x = method.plug.encoder(["bread and tea"])[0].detach().double()
    close = {"rtol": 1e-5, "atol": 1e-6}
    where = folder / "encoder"
    torch.testing.assert_close(
        torch.from_numpy(h).double(), encoded(where, "bread and tea"), **close
    )
    torch.testing.assert_close(x, encoded(where, "ask: bread and tea"), **close)


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_instruction_starts_at_the_mean_norm_of_the_llms_embeddings(folder, kind):
    with float64():
        method = pplug(folder, frozen=tiny_llm(kind, double=True))
        weights = method.plug.state_dict()
    token = mlp(weights, "instruction.projector", weights["instruction.embedding"])
    equal(weights["instruction.initial_norm"], token.norm())
    table = method.runtime.llm.model.get_input_embeddings().weight.detach()
    equal(weights["scale"], table.norm(dim=1).mean())
    start = method.plug.instruction().detach() * method.plug.scale
    equal(start.norm(), table.norm(dim=1).mean())
    assert 0 <= weights["instruction.embedding"].min() < weights["instruction.embedding"].max() <= 1


def test_the_mean_variant_ignores_the_query(folder):
    mean, full = (pplug(folder, attention=attention) for attention in (False, True))
    asked = [EXAMPLES[3], type(EXAMPLES[3])(**{**fields(EXAMPLES[3]), "subject": "else"})]
    for method, same in ((mean, True), (full, False)):
        with torch.no_grad():
            rows = method.prefix(method._batch(method._prepare(asked)))
        assert torch.equal(rows[0], rows[1]) == same


def fields(example):
    return {name: getattr(example, name) for name in example.__slots__}


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({}, ("instruction", "projector", "encoder")),
        ({"attention": False}, ("instruction", "projector")),
        ({"instruction": False}, ("projector", "encoder")),
        ({"user": False}, ("instruction",)),
        ({"encoder_trainable": False}, ("instruction", "projector")),
        (
            {"learn_temperature": True, "recency": ["order", "time"], "views": ["near", "whole"]},
            ("instruction", "projector", "encoder", "temperature", "recency"),
        ),
        ({"user": False, "learn_temperature": True, "recency": ["time"]}, ("instruction",)),
    ],
    ids=str,
)
def test_training_changes_exactly_the_parts_of_the_variant(tmp_path, options, parts):
    method = pplug(tmp_path, **options)
    runtime = method.runtime
    frozen = (runtime.llm.model, runtime.encoder.model)
    before = [clone(module.state_dict()) for module in (*frozen, method.plug)]
    report = method.fit(TRAIN, TRAIN)
    assert report.steps == 6  # two epochs of three batches
    for module, weights in zip(frozen, before, strict=False):
        now = module.state_dict()
        assert now.keys() == weights.keys()
        assert all(torch.equal(now[name], weight) for name, weight in weights.items())
        assert all(weight.grad is None for weight in module.parameters())
        assert not module.training
    trained = dict(method.plug.named_parameters())
    assert {name.split(".")[0] for name in trained} == set(parts)
    for name, weight in before[2].items():
        # The pooler stands in BERT's folder but no vector depends on it; nor does a softmax on a
        # shift of all keys. Buffers are constants.
        constant = name not in trained or "pooler" in name or "key.bias" in name
        changed = not torch.equal(method.plug.state_dict()[name], weight)
        assert changed or constant, name
        assert not (changed and name not in trained), name
    assert method.cost().trainable_shared == sum(weight.numel() for weight in trained.values())


def clone(state):
    return {name: value.clone() for name, value in state.items()}


def test_loss_falls_and_dev_loss_is_watched(tmp_path):
    method = pplug(
        tmp_path, training={"epochs": 30, "batch_size": 7, "learning_rate": 1e-2}, augment=2
    )
    curve = method.fit(TRAIN, TRAIN).curve
    assert curve[-1]["loss"] < curve[0]["loss"] - 0.2
    assert all("dev_loss" in point for point in curve)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 2 * 32 * 21 / 7),
        ({"max_history": 3}, 2 * 32 * (3 + 0 + 1 + 3 + 2 + 3 + 3) / 7),
        ({"time_decay": 1.0}, 2 * 33 * 21 / 7),
        ({"attention": False}, 2 * 16),
        ({"attention": False, "n_tokens": 4}, 2 * 16 * 4),
        ({"user": False}, 0),
        ({"recency": ["time"]}, 2 * 33 * 21 / 7),
        ({"recency": ["order", "time"]}, 2 * 34 * 21 / 7),
        ({"attention": False, "views": ["whole", "recent"], "n_tokens": 3}, 2 * 16 * 2 * 3),
    ],
    ids=str,
)
def test_bytes_per_user_are_those_of_the_train_users(folder, options, expected):
    method = pplug(folder, **options)
    method.runtime.population = ()
    assert method.mean_history == 0
    method.runtime.population = EXAMPLES
    assert method.cost().bytes_per_user == pytest.approx(expected)
    method.predict(EXAMPLES[:1])
    assert method.cost().bytes_per_user == pytest.approx(expected)


def test_no_soft_token_at_all_is_refused():
    with pytest.raises(ValidationError, match="no soft token is left"):
        PPlugConfig(user=False, instruction=False)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"attention": False, "learn_temperature": True}, "learn_temperature = True, but no att"),
        ({"attention": False, "views": ["near"]}, "but no attention"),
        ({"attention": False, "top_p": 0.5}, "all weights are equal"),
        ({"views": ["near", "near"]}, "names one twice"),
        ({"recency": ["time", "time"]}, "names one twice"),
        ({"attention_learning_rate": 0.1}, "neither temperature nor recency is learned"),
        ({"views": []}, "at least 1 item"),
        ({"views": ["far"]}, "'whole', 'near' or 'recent'"),
        ({"top_p": 0}, "greater than 0"),
    ],
    ids=str,
)
def test_options_without_an_effect_are_refused(options, why):
    with pytest.raises(ConfigError, match=why):
        PPlug.parse_config(options, "[methods.own]")


def test_options_beyond_the_paper_are_in_a_key_only_where_they_are_used():
    """Results and plugs of versions without them stay valid."""
    paper = {
        "training", "max_response_tokens", "max_history", "labels_in_history", "augment",
        "plain_epochs", "attention", "instruction", "user", "encoder_trainable",
        "encoder_learning_rate", "temperature", "history_top_k", "n_tokens", "whiten",
        "time_decay",
    }  # fmt: skip
    assert PPlug.key(PPlugConfig()).options.keys() == paper
    used = PPlug.key(PPlugConfig(top_p=0.9, recency=["time"], views=["whole"])).options
    assert {name: used[name] for name in used.keys() - paper} == {
        "top_p": 0.9,
        "recency": ["time"],
    }


def test_only_a_user_side_or_a_text_side_that_reads_histories_is_personal():
    assert PPlug.is_personal(PPlugConfig())
    assert not PPlug.is_personal(PPlugConfig(user=False))
    assert PPlug.is_personal(PPlugConfig(user=False, text="bm25"))


def test_instruction_only_encodes_nothing(tmp_path):
    method = pplug(tmp_path, user=False)
    method.fit(TRAIN, None)
    answers = method.predict(EXAMPLES)
    assert method.runtime.encoder.calls == 0
    assert len(answers) == 7
    assert encoder(tmp_path / "encoder").calls == 0


def test_parameter_counts_of_the_papers_models(capsys):
    script = runpy.run_path(str(COUNTS))
    script["main"]()
    printed = capsys.readouterr().out
    counts, sizes = script["count_parameters"](), script["compute_bytes_per_user"]()
    assert counts["frozen LLM"] == 11_135_332_352
    assert counts["input encoder"] == 109_482_240
    projector = 768 * 4096 + 4096 + 4096 * 4096 + 4096  # 19.9M, twice
    assert counts["projector"] == projector == 19_931_136
    assert counts["instruction"] == projector + 768
    assert sizes["LaMP-7"] == 24 * 1024
    assert round(sizes["LaMP-4"] / 1024, 1) == 307.5
    assert sizes["mean"] == 8 * 1024
    for figure in ("11,135,332,352", "109,482,240", "19,931,136", "24.0 KiB", "307.5 KiB"):
        assert figure in printed


@pytest.mark.parametrize("options", [{"learn_temperature": True}, {"recency": ["order", "time"]}])
def test_single_numbers_of_the_attention_may_have_a_learning_rate_of_their_own(tmp_path, options):
    before = pplug(tmp_path / "1", **options, attention_learning_rate=1e-30)
    moved = pplug(tmp_path / "2", **options, attention_learning_rate=0.5)
    parts = {name for name in before.learning_rates if getattr(before.plug, name) is not None}
    assert len(parts) == 1
    for method, least, most in ((before, 0, 1e-20), (moved, 0.1, 3)):
        (part,) = parts
        start = [weight.detach().clone() for weight in getattr(method.plug, part).parameters()]
        method.fit(TRAIN, None)
        for weight, value in zip(getattr(method.plug, part).parameters(), start, strict=True):
            assert least <= abs(weight - value) <= most


def test_the_input_encoder_may_have_a_learning_rate_of_its_own(tmp_path):
    assert pplug(tmp_path / "paper").learning_rates == {}
    method = pplug(tmp_path / "own", encoder_learning_rate=1e-30)
    encoder = {n: w.clone() for n, w in method.plug.encoder.named_parameters()}
    projector = method.plug.projector.last.weight.clone()
    method.fit(TRAIN, None)
    for name, weight in method.plug.encoder.named_parameters():
        torch.testing.assert_close(weight.detach(), encoder[name].detach(), rtol=0, atol=1e-20)
    assert not torch.equal(method.plug.projector.last.weight, projector)
