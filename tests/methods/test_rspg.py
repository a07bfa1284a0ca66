"""RSPG's selector: its loss by hand, what it reads, and that it learns which member to trust."""

import math

import pytest
import torch

from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.pool.selector import Selector, divergence
from methods.pool_oracle import PoolOracle
from methods.rspg import RSPGPost, RSPGPre
from tasks.common.errors import ModelError
from tasks.metrics.utility import utilities
from tests.methods.helpers import build
from tests.methods.two_ages import POOL, FirstScoreLLM, encoder, users
from tests.tiny import tiny_encoder

TRAINING = {"epochs": 10, "batch_size": 16, "learning_rate": 3e-3}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rspg")


def softmax(values, temperature):
    powers = [math.exp(value / temperature) for value in values]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize(("teacher", "student"), [(1.0, 1.0), (0.1, 1.0), (0.5, 2.0)])
def test_the_loss_matches_a_hand_calculation(teacher, student):
    scores, values = [[0.3, -1.2, 2.0], [0.0, 0.0, 0.0]], [[1.0, 0.0, 0.5], [0.7, 0.7, 0.7]]
    expected = []
    for row, wanted in zip(scores, values, strict=True):
        p, q = softmax(wanted, teacher), softmax(row, student)
        expected.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    found = divergence(
        torch.tensor(scores, dtype=torch.float64),
        torch.tensor(values, dtype=torch.float64),
        teacher=teacher,
        student=student,
    )
    assert found.tolist() == pytest.approx(expected, abs=1e-12)
    assert found[1] == pytest.approx(0, abs=1e-12)


def test_a_long_text_loses_its_beginning_and_equal_texts_score_equally(folder):
    tiny_encoder(folder / "tiny")
    frozen = Encoder.open(EncoderConfig(model=str(folder / "tiny"), device="cpu"), cache=folder)
    selector = Selector(frozen, 16).eval()
    end = "the score of the review"
    with torch.no_grad():
        rows = selector([[f"{'tag ' * 30}{end}", f"{'movie ' * 40}{'tag ' * 30}{end}", end]])
        alone = selector([[end, f"{'tag ' * 30}{end}"]])
    assert rows[0, 0] == rows[0, 1] != rows[0, 2]
    assert rows.shape == (1, 3)
    assert alone[0].tolist() == pytest.approx([float(rows[0, 2]), float(rows[0, 0])], abs=1e-5)
    assert selector.encoder.model.max_seq_length == 16
    assert Selector(frozen, 9999).encoder.model.max_seq_length == 512
    assert frozen.model.tokenizer.truncation_side == "right"


def fit(folder, method, **options):
    config = {"pool": POOL, "training": TRAINING, "teacher_temperature": 0.1} | options
    place = folder / method.name
    made = build(method, place, config, llm=FirstScoreLLM(), encoder=encoder(folder / "words"))
    return made, made.fit(users(300), None)


@pytest.fixture(scope="module", params=[RSPGPre, RSPGPost], ids=lambda method: method.name)
def trained(request, folder):
    return fit(folder, request.param)


def test_the_selector_beats_the_best_member_on_unseen_queries(trained):
    """The query's words decide which member is right (see `two_ages`); the oracle bounds both."""
    method, report = trained
    test = users(200, first=1000)
    golds = [gold for _, gold in test.pairs()]

    def mean(answers):
        values = utilities(method.task, [answer.text for answer in answers], golds)
        return sum(values) / len(values)

    members = [mean(column) for column in zip(*method.pool.answers(test.examples), strict=True)]
    oracle = PoolOracle(PoolOracle.Config(pool=POOL), method.runtime)
    oracle.runtime.golds = dict(test.golds)
    bound = mean(oracle.predict(test.examples))
    assert max(members) < 0.75
    assert max(members) + 0.2 < mean(method.predict(test.examples)) <= bound == 1
    assert report.notes["train_utility_of_best"] == 1
    assert max(report.notes["train_utility"].values()) < 0.75
    assert report.notes["queries_where_members_differ"] == 300
    assert report.curve[-1]["loss"] < 0.3 * report.curve[0]["loss"]


def test_the_selectors_texts_and_cost(trained):
    method, _ = trained
    asked = users(4, first=2000).examples
    prompts, answers = method.pool.prompts(asked), method.pool.answers(asked)
    assert [row[0] for row in prompts] == [example.input for example in asked]
    texts, found = method.texts(asked), method.predict(asked)
    if isinstance(method, RSPGPre):
        assert texts == prompts
    else:
        assert texts[1][2] == f"{prompts[1][2]} {method.selector.separator} {answers[1][2].text}"
    for answer, row, place in zip(found, answers, method.select(asked), strict=True):
        assert answer.text == row[place].text
        assert answer.behaviors == row[place].behaviors
        assert answer.note == f"member {method.pool.members[place].name}"
        price = row if isinstance(method, RSPGPost) else row[place : place + 1]
        assert answer.prompt_tokens == sum(part.prompt_tokens for part in price)
        assert answer.new_tokens == len(price)
    own = sum(weight.numel() for weight in method.selector.parameters())
    assert method.cost().trainable_shared == own


def test_a_selector_of_another_method_or_encoder_is_refused(trained, folder):
    method, _ = trained
    saved = folder / f"saved-{method.name}"
    method.save(saved)
    other = RSPGPost if isinstance(method, RSPGPre) else RSPGPre
    stranger = build(other, folder, {"pool": POOL}, llm=FirstScoreLLM(), encoder=method.encoder)
    with pytest.raises(ModelError, match=f"trained for the method {method.name}, not {other.name}"):
        stranger.load(saved)
    weights = saved / "selector.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="missing or damaged"):
        method.load(saved)


def test_the_selector_can_have_its_own_encoder(folder):
    """Members still use the suite's encoder."""
    tiny_encoder(folder / "own", seed=3)
    own = {"model": str(folder / "own"), "device": "cpu", "pooling": "cls"}
    config = {"pool": POOL, "selector": own, "max_tokens": 64, "training": {"epochs": 1}}
    made = build(
        RSPGPre, folder / "x", config, llm=FirstScoreLLM(), encoder=encoder(folder / "words")
    )
    made.fit(users(4), None)
    assert made.encoder is not made.runtime.encoder
    assert made.encoder.config.pooling == "cls"
    assert len(made.predict(users(2, first=50).examples)) == 2


def test_members_answer_the_dev_set_only_for_early_stopping(folder):
    for patience, seen in ((None, 4), (1, 7)):
        training = {"epochs": 1, "early_stop_patience": patience}
        method, llm = RSPGPre, FirstScoreLLM()
        place = folder / f"dev-{patience}"
        made = build(
            method, place, {"pool": POOL, "training": training},
            llm=llm, encoder=encoder(folder / "words"),
        )  # fmt: skip
        made.fit(users(4), users(3, first=50))
        assert sum(len(call[0]) for call in llm.calls) == 3 * seen
