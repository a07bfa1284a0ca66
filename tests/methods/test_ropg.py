"""ROPG: losses match hand calculations, pads are ignored, training resumes, weights reload."""

import json
import math
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from bench.grid import plan
from bench.settings import load_settings
from methods.dense import Dense
from methods.retrieval.feedback import Judged
from methods.ropg import Policy, RopgKD, RopgRL
from tasks.common.errors import ConfigError, ModelError
from tasks.common.progress import Progress
from tests.methods.helpers import behavior, build, example
from tests.methods.useful_items import FirstScore, users, word_encoder

TRAINING = {"learning_rate": 2e-3, "batch_size": 4, "epochs": 2}
BOTH = pytest.mark.parametrize("kind", [RopgKD, RopgRL])


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return word_encoder(tmp_path_factory.mktemp("encoder") / "words")


def ropg(kind, folder, encoder, llm=None, **config):
    config = {"training": TRAINING} | config
    return build(kind, folder, config, llm=llm or FirstScore(), encoder=encoder)


def make_judged(id, utilities):
    candidates = tuple(behavior(str(i)) for i in range(len(utilities)))
    return Judged(example(id, history=candidates), candidates, tuple(utilities))


def policy(scores, utilities, *, width):
    """Rows of unequal length: scores before the softmax (a leaf) and padded utilities."""
    leaf = torch.full((len(scores), width), 7.0)
    padded, real = torch.zeros(len(scores), width), torch.zeros(len(scores), width).bool()
    for row, values in enumerate(scores):
        leaf[row, : len(values)] = torch.tensor(values)
        padded[row, : len(values)] = torch.tensor(utilities[row])
        real[row, : len(values)] = True
    leaf.requires_grad_()
    log_probabilities = torch.log_softmax(leaf.masked_fill(~real, -torch.inf), dim=1)
    queries = [make_judged(f"q{row}", values) for row, values in enumerate(utilities)]
    return leaf, Policy(queries, log_probabilities, padded, real)


SCORES, UTILITIES = [[0.5, -1.0, 2.0], [1.0, 0.0]], [[1.0, 0.0, 0.25], [0.0, 1.0]]


def softmax(values):
    exponentials = [math.exp(value) for value in values]
    return [value / sum(exponentials) for value in exponentials]


@pytest.mark.parametrize("temperature", [1.0, 0.25])
@pytest.mark.parametrize("width", [3, 6])
def test_kd_matches_a_hand_calculation(tmp_path, encoder, temperature, width):
    method = ropg(RopgKD, tmp_path, encoder, teacher_temperature=temperature)
    leaf, given = policy(SCORES, UTILITIES, width=width)
    losses = method.losses(given, 0)
    gradients = torch.zeros(2, width)
    for row, (scores, utilities) in enumerate(zip(SCORES, UTILITIES, strict=True)):
        student, teacher = softmax(scores), softmax([u / temperature for u in utilities])
        kl = sum(t * math.log(t / s) for t, s in zip(teacher, student, strict=True))
        assert losses[row].item() == pytest.approx(kl, rel=1e-5)
        gradients[row, : len(scores)] = torch.tensor(student) - torch.tensor(teacher)
    losses.sum().backward()
    torch.testing.assert_close(leaf.grad, gradients, rtol=1e-5, atol=1e-7)
    assert (leaf.grad[~given.real] == 0).all()


def test_kd_is_zero_at_the_teacher(tmp_path, encoder):
    _, given = policy(UTILITIES, UTILITIES, width=4)
    losses = ropg(RopgKD, tmp_path, encoder).losses(given, 0)
    torch.testing.assert_close(losses, torch.zeros(2), rtol=0, atol=1e-7)


def test_rl_draws_real_candidates_by_their_probabilities(tmp_path, encoder):
    method = ropg(RopgRL, tmp_path, encoder)
    _, given = policy(SCORES, UTILITIES, width=12)
    counts = torch.zeros(2, 12)
    draws = 600
    for epoch in range(draws):
        counts[[0, 1], method.draw(given, epoch).squeeze(1)] += 1
    assert (counts[~given.real] == 0).all()
    # Four standard deviations of a share in 600 draws are .082 at most.
    torch.testing.assert_close(counts / draws, given.log_probabilities.exp(), rtol=0, atol=0.082)


def test_rl_draws_do_not_depend_on_other_queries(tmp_path, encoder):
    method = ropg(RopgRL, tmp_path, encoder)
    _, both = policy(SCORES, UTILITIES, width=8)
    alone = Policy(
        both.queries[1:], both.log_probabilities[1:, :2], both.utilities[1:, :2], both.real[1:, :2]
    )
    for epoch in range(20):
        assert method.draw(both, epoch)[1] == method.draw(alone, epoch)[0]


def test_rl_rewards_the_gain_over_the_first_candidate(tmp_path, encoder):
    method = ropg(RopgRL, tmp_path, encoder)
    seen = set()
    for epoch in range(30):
        leaf, given = policy(SCORES, UTILITIES, width=5)
        losses = method.losses(given, epoch)
        losses.sum().backward()
        for row, drawn in enumerate(method.draw(given, epoch).squeeze(1).tolist()):
            probabilities = softmax(SCORES[row])
            reward = UTILITIES[row][drawn] - UTILITIES[row][0]
            assert losses[row].item() == pytest.approx(-reward * math.log(probabilities[drawn]))
            # d log π(d) / d score_i = [i = d] - π(i)
            expected = [reward * (p - (i == drawn)) for i, p in enumerate(probabilities)]
            assert leaf.grad[row, : len(expected)].tolist() == pytest.approx(expected, abs=1e-6)
            seen.add((row, drawn))
    assert len(seen) == 5


def test_rl_stops_early_by_the_expected_reward(tmp_path, encoder):
    _, given = policy(SCORES, UTILITIES, width=5)
    found = ropg(RopgRL, tmp_path, encoder).dev_losses(given)
    expected = [
        -sum(p * (u - utilities[0]) for p, u in zip(softmax(scores), utilities, strict=True))
        for scores, utilities in zip(SCORES, UTILITIES, strict=True)
    ]
    assert found.tolist() == pytest.approx(expected)


def test_a_policy_is_the_softmax_of_dot_products(tmp_path, encoder):
    method = ropg(RopgKD, tmp_path, encoder, temperature=2.0)
    train = users(0, 3)
    queries = [
        Judged(asked, asked.history[:count], (0.5,) * count)
        for asked, count in zip(train.examples, (3, 1, 5), strict=True)
    ]
    with torch.no_grad():
        given = method.policy(queries)
    assert given.log_probabilities.shape == (3, 5)
    for row, query in enumerate(queries):
        texts = [candidate.text for candidate in query.candidates]
        documents = encoder.encode(texts, side="document").astype("float64")
        asked = encoder.encode([query.example.query], side="query")[0]
        expected = softmax((documents @ asked / 2).tolist())
        found = given.log_probabilities[row].exp().tolist()
        assert found[: len(expected)] == pytest.approx(expected, rel=1e-4)
        assert found[len(expected) :] == [0.0] * (5 - len(expected))


@BOTH
def test_the_untrained_retriever_ranks_like_the_encoder(tmp_path, encoder, kind):
    test = users(50, 20).examples
    dense = build(Dense, tmp_path, llm=FirstScore(), encoder=encoder).predict(test)
    assert ropg(kind, tmp_path, encoder).predict(test) == dense


def test_both_variants_share_feedback(tmp_path, encoder):
    train = users(0, 8)
    first, second = FirstScore(), FirstScore()
    kd = ropg(RopgKD, tmp_path, encoder, first).fit(train, None)
    other = ropg(RopgRL, tmp_path, encoder, second)
    other.runtime.scratch = tmp_path / "another cell's"
    rl = other.fit(train, None)
    assert kd.notes["feedback_computed"] == len(first.asked) > 0
    assert (rl.notes["feedback_computed"], second.asked) == (0, [])
    assert kd.notes["utility_of_first"] == rl.notes["utility_of_first"] < 1
    assert kd.notes["utility_of_best"] == 1


def test_queries_without_a_choice_are_skipped_and_counted(tmp_path, encoder):
    whole = users(0, 4)
    a, b, c, d = whole.examples
    short = replace(a, history=()), replace(b, history=b.history[:1]), c, d
    report = ropg(RopgKD, tmp_path, encoder).fit(replace(whole, examples=short), None)
    assert (report.notes["untrained_queries"], report.examples) == (2, 4)  # two epochs
    none = ropg(RopgKD, tmp_path / "none", encoder).fit(replace(whole, examples=short[:2]), None)
    assert (none.steps, none.notes["untrained_queries"], none.notes["utility_of_best"]) == (0, 2, None)  # fmt: skip


@BOTH
def test_dev_queries_are_judged_only_for_early_stopping(tmp_path, encoder, kind):
    training = TRAINING | {"early_stop_patience": 1, "evaluations": 2}
    report = ropg(kind, tmp_path, encoder, training=training).fit(users(0, 8), users(20, 4))
    assert all(math.isfinite(point["dev_loss"]) for point in report.curve)
    llm = FirstScore()
    ropg(kind, tmp_path / "all", encoder, llm).fit(users(0, 8), users(20, 4))
    assert not any(e.input in prompt for e in users(20, 4).examples for prompt in llm.asked)


class Killed(Progress):
    """Ends the process after `steps` training steps."""

    def __init__(self, steps):
        self.left, self.training = steps, False

    def start(self, what, total):
        self.training = what == "training"

    def advance(self, steps=1):
        self.left -= self.training and steps > 0
        if self.left < 0:
            raise KeyboardInterrupt


@BOTH
def test_a_killed_training_resumes_to_the_same_weights(tmp_path, encoder, kind):
    training = TRAINING | {"checkpoint_minutes": 1e-9}
    whole = ropg(kind, tmp_path / "whole", encoder, training=training)
    whole.fit(users(0, 8), None)
    killed = ropg(kind, tmp_path, encoder, training=training)
    killed.runtime.progress = Killed(2)
    with pytest.raises(KeyboardInterrupt):
        killed.fit(users(0, 8), None)
    llm = FirstScore()
    resumed = ropg(kind, tmp_path, encoder, llm, training=training)
    report = resumed.fit(users(0, 8), None)
    assert (report.steps, llm.asked) == (4, [])
    for name, weight in whole.module.weights.items():
        assert torch.equal(weight, resumed.module.weights[name]), name


@pytest.fixture(scope="module")
def saved(tmp_path_factory, encoder):
    folder = tmp_path_factory.mktemp("saved")
    method = ropg(RopgKD, folder, encoder)
    method.fit(users(0, 8), None)
    method.save(folder / "model")
    return folder / "model", method.predict(users(50, 10).examples)


def test_a_loaded_retriever_predicts_the_same(tmp_path, encoder, saved):
    folder, expected = saved
    assert sorted(path.name for path in folder.iterdir()) == [
        "retriever.json", "retriever.safetensors",
    ]  # fmt: skip
    method = ropg(RopgKD, tmp_path, encoder)
    before = method.predict(users(50, 10).examples)
    method.load(folder)
    assert method.predict(users(50, 10).examples) == expected != before


def test_another_encoder_is_refused_and_named(tmp_path, saved):
    other = word_encoder(tmp_path / "others")
    other.identity = "other weights"
    with pytest.raises(
        ModelError, match=r"trained for the encoder .*words \(\w+\), not .*others \(oth"
    ):
        ropg(RopgKD, tmp_path, other).load(saved[0])


def test_another_llm_method_or_version_is_refused_and_named(tmp_path, encoder, saved, monkeypatch):
    with pytest.raises(ModelError, match="trained for the method ropg-kd, not ropg-rl"):
        ropg(RopgRL, tmp_path, encoder).load(saved[0])
    llm = FirstScore()
    llm.weights = "others"
    with pytest.raises(
        ModelError, match=r"for the LLM first score \(.*\), not first score \(others"
    ):
        ropg(RopgKD, tmp_path, encoder, llm).load(saved[0])
    monkeypatch.setattr(RopgKD, "version", 2)
    with pytest.raises(ModelError, match="trained for the method version 1, not 2"):
        ropg(RopgKD, tmp_path, encoder).load(saved[0])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("retriever.json", None, "holds no readable retriever"),
        ("retriever.json", b"{", "holds no readable retriever"),
        ("retriever.json", b"[]", "is not the description"),
        ("retriever.json", b"{}", "is not the description"),
        ("retriever.safetensors", None, "missing or damaged"),
        ("retriever.safetensors", b"", "missing or damaged"),
        ("retriever.safetensors", b"\x02\0\0\0\0\0\0\0{}", "don't fit"),
    ],
)
def test_a_damaged_folder_is_reported(tmp_path, encoder, saved, file, content, message):
    for path in saved[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        ropg(RopgKD, tmp_path, encoder).load(tmp_path)


def test_the_cost_is_the_tower_and_a_vector_per_behaviour(tmp_path, encoder):
    method = ropg(RopgKD, tmp_path, encoder)
    method.runtime.population = users(0, 5).examples
    cost = method.cost()
    assert cost.trainable_shared == sum(weight.numel() for weight in encoder.model.parameters())
    assert cost.bytes_per_user == 8 * 32 * 4


def test_the_defaults_are_the_papers():
    config = RopgRL.Config()
    training = config.training
    assert (config.k, config.candidates, config.first_retriever) == (4, 16, "dense")
    assert (training.learning_rate, training.weight_decay, training.warmup_share) == (1e-5, 0, 0.05)
    assert (training.max_grad_norm, training.epochs, training.batch_size) == (1, 10, 64)
    for wrong in ({"candidates": 1}, {"temperature": 0}, {"first_retriever": "none"}):
        with pytest.raises(ValidationError):
            RopgRL.Config(**wrong)


def test_k_affects_only_predictions():
    one, four = (RopgKD.Config(k=k) for k in (1, 4))
    assert RopgKD.fit_key(one) == RopgKD.fit_key(four)
    assert RopgKD.key(one) != RopgKD.key(four)
    assert RopgKD.fit_key(one) != RopgKD.fit_key(RopgKD.Config(temperature=2))
    json.dumps(RopgKD.key(one).to_json())


def test_a_suites_training_options_apply(tmp_path):
    (tmp_path / "bench.toml").write_text(
        """
default_suite = "s"
data.d.sample = 0
llms.l.model = "L"
encoders.e.model = "E"
[suites.s]
data = "d"
tasks = ["LaMP-3"]
methods = ["ropg-kd"]
llms = ["l"]
encoders = ["e"]
training = { epochs = 3, learning_rat = 1 }
"""
    )
    settings = load_settings(tmp_path / "bench.toml")
    with pytest.raises(ConfigError, match=r"\[methods\.ropg-kd\] `training\.learning_rat`"):
        plan(settings)
    config = RopgKD.parse_config({"training": {"epochs": 3}}, "here")
    assert (config.training.epochs, config.training.learning_rate) == (3, 1e-5)
