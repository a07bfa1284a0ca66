import dataclasses
import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bench.conformance.tiny_models import tiny_encoder, tiny_t5
from methods.embedding_to_prefix import EmbeddingToPrefix
from methods.models.config import Decoding, EncoderConfig
from methods.models.encoder import Encoder
from methods.models.opening import load_llm
from methods.pplug import PPlug
from methods.prefix.deploy import DeployedPlug
from methods.prefix.user_state import Stored, UserState
from tasks import TASKS, Behavior, Dataset, Example
from tasks.common.errors import BenchError, ConfigError, DataError, ModelError
from tests.methods.helpers import runtime

EXAMPLE = Path(__file__).parents[3] / "docs/examples/answer_one_user.py"
TEXTS = ["Broke at once, want my money back", "A joy every day!!", "meh", "Too small for me"]
OTHERS = ["Best pen I ever had", "Ink of a depth that I had not seen before", "Nib like silk"]
HALF = 2.0**-11
"""Relative rounding of float16."""
ROWS = {  # what a user is stored as, and in how many bytes (n = 4 texts, D = H = 32)
    "input-aware": ({}, Stored.HISTORY, 4 * 32 * 2),
    "mean": ({"attention": False}, Stored.TOKENS, 32 * 2),
    "mean of two tokens": ({"attention": False, "n_tokens": 2}, Stored.TOKENS, 2 * 32 * 2),
    "no instruction": ({"instruction": False}, Stored.HISTORY, 4 * 32 * 2),
    "time decay": ({"time_decay": 3.0}, Stored.HISTORY, 4 * 33 * 2),
    "mean, decaying": ({"attention": False, "time_decay": 3.0}, Stored.TOKENS, 32 * 2),
    "frozen input encoder": ({"encoder_trainable": False}, Stored.HISTORY, 4 * 32 * 2),
    "learned recency": ({"recency": ["order", "time"]}, Stored.HISTORY, 4 * 34 * 2),
    "views": ({"views": ["whole", "near", "recent"]}, Stored.HISTORY, 4 * 33 * 2),
    "newest two": ({"max_history": 2}, Stored.HISTORY, 2 * 32 * 2),
}


def prompt(review):
    return f"{TASKS.get('LaMP-3').instruction} {review}"


PROMPTS = [prompt(text) for text in ("Fine.", "It squeaks and then it stops", "Would buy again")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("plugs")
    tiny_t5(folder / "t5")
    tiny_t5(folder / "t5-other", seed=1)
    tiny_encoder(folder / "encoder")
    tiny_encoder(folder / "encoder-other", seed=1)
    return folder


def open_llm(folder):
    return load_llm(str(folder), device="cpu", decoding=Decoding(num_beams=2, max_new_tokens=6))


def open_encoder(folder, cache):
    return Encoder.open(EncoderConfig(model=str(folder), device="cpu"), cache=cache)


@pytest.fixture(scope="module")
def llm(folder):
    return open_llm(folder / "t5")


@pytest.fixture
def trained(folder, llm, tmp_path):
    """options → (a plug trained in the harness for a moment, the folder it was saved to)."""

    def train(options=None, method=PPlug, encoder="encoder", seed=0):
        harness = tmp_path / "harness" / f"{encoder}-{seed}"
        made = runtime(
            harness, llm=llm,
            encoder=open_encoder(folder / encoder, harness), max_input_tokens=120,
        )  # fmt: skip
        made.seeds = made.seeds.child(seed)
        training = {"max_steps": 2, "batch_size": 2, "learning_rate": 1e-3}  # one at lr 0
        plug = method(method.Config(training=training, **(options or {})), made)
        plug.fit(TRAIN, None)
        plug.save(tmp_path / "model")
        return plug, tmp_path / "model"

    return train


def asked(input, texts, id="1"):
    task = TASKS.get("LaMP-3")()
    history = tuple(Behavior(str(i), text, text) for i, text in enumerate(texts))
    return Example(id, id, input, task.query(input), task.subject(input), history)


TRAIN = Dataset(
    "LaMP-3",
    "train",
    (asked(PROMPTS[0], TEXTS), asked(PROMPTS[1], OTHERS, id="2")),
    {"1": "4", "2": "1"},
    "f",
)


def prefixes(plug, history, monkeypatch):
    """The soft tokens that stand before each of PROMPTS when `plug` responds."""
    seen = []
    generate = plug.method.runtime.llm.generate

    def recorded(prompts, *, prefix, **limits):
        seen.append(prefix)
        return generate(prompts, prefix=prefix, **limits)

    with monkeypatch.context() as patch:
        patch.setattr(plug.method.runtime.llm, "generate", recorded)
        answers = [plug.respond(input, history) for input in PROMPTS]
    return torch.cat(seen), answers


def test_an_opened_plug_answers_as_it_did_in_the_harness(trained, llm, tmp_path):
    plug, saved = trained()
    expected = [p.text for p in plug.predict([asked(input, TEXTS) for input in PROMPTS])]
    shutil.rmtree(tmp_path / "harness")
    opened = DeployedPlug.from_pretrained(saved, llm)
    assert [opened.respond(input, TEXTS) for input in PROMPTS] == expected
    assert [opened.respond(input, OTHERS) for input in PROMPTS] != expected
    assert not (tmp_path / "harness").exists()  # nothing of the user on the disk
    assert opened.method.config == plug.config
    assert opened.method.runtime.max_input_tokens == 120


def test_behaviours_serve_as_well_as_texts(trained, llm):
    opened = DeployedPlug.from_pretrained(trained()[1], llm)
    items = [Behavior(str(i), text, "cut", "5", None) for i, text in enumerate(TEXTS)]
    assert opened.respond(PROMPTS[0], items) == opened.respond(PROMPTS[0], TEXTS)


@pytest.mark.parametrize("row", ROWS)
def test_a_users_vectors_answer_as_the_texts_do(trained, llm, tmp_path, monkeypatch, row):
    options, stored, size = ROWS[row]
    opened = DeployedPlug.from_pretrained(trained(options)[1], llm)
    opened.user_state(TEXTS).save(tmp_path / "user.safetensors")
    state = UserState.load(tmp_path / "user.safetensors")
    assert (state.stored, state.bytes) == (stored, size)
    whole, from_texts = prefixes(opened, TEXTS, monkeypatch)
    kept, from_vectors = prefixes(opened, state, monkeypatch)
    difference = (whole - kept).abs().max()
    assert 0 < difference < 8 * HALF * whole.abs().max()
    assert from_vectors == from_texts
    other, _ = prefixes(opened, OTHERS, monkeypatch)
    assert (other - whole).abs().max() > 10 * difference


@pytest.mark.parametrize("row", ["input-aware", "mean", "time decay", "learned recency"])
def test_bytes_of_a_state_are_those_of_the_cost(trained, llm, row):
    opened = DeployedPlug.from_pretrained(trained(ROWS[row][0])[1], llm)
    opened.method.runtime.population = [asked(PROMPTS[0], TEXTS)]
    assert opened.method.cost().bytes_per_user == opened.user_state(TEXTS).bytes == ROWS[row][2]


def test_the_mean_variants_state_is_the_token_alone(trained, llm):
    plug, saved = trained({"attention": False})
    opened = DeployedPlug.from_pretrained(saved, llm)
    state = opened.user_state(TEXTS)
    vectors = torch.from_numpy(plug.runtime.encoder.encode(TEXTS, side="document"))
    projected = plug.plug.projector(vectors).mean(0) * plug.plug.scale
    torch.testing.assert_close(state.vectors[0].float(), projected, rtol=2 * HALF, atol=1e-5)


def test_ages_are_of_the_dates(trained, llm):
    options = {"time_decay": 1.0, "recency": ["time"]}
    opened = DeployedPlug.from_pretrained(trained(options)[1], llm)
    dates = ["2020-01-03", "2020-01-01", "2020-01-04", "2020-01-02"]
    items = [Behavior(d, t, t, date=d) for t, d in zip(TEXTS, dates, strict=True)]
    state = opened.user_state(items)
    assert state.ages.tolist() == [0.25, 0.75, 0.0, 0.5]
    days = torch.tensor([1.0, 3.0, 0.0, 2.0])
    torch.testing.assert_close(state.elapsed.float(), days.log1p(), rtol=2 * HALF, atol=0)


@pytest.mark.parametrize("options", [{}, {"attention": False}])
def test_an_empty_history_is_answered(trained, llm, monkeypatch, options):
    opened = DeployedPlug.from_pretrained(trained(options)[1], llm)
    whole, from_texts = prefixes(opened, [], monkeypatch)
    kept, from_vectors = prefixes(opened, opened.user_state([]), monkeypatch)
    assert torch.equal(whole, kept)
    assert not whole[:, 1].any()  # P = 0
    assert from_vectors == from_texts


def test_any_prefix_method_can_be_opened_by_its_name(trained, llm, monkeypatch):
    saved = trained(method=EmbeddingToPrefix)[1]
    opened = DeployedPlug.from_pretrained(saved, llm)
    whole, _ = prefixes(opened, TEXTS, monkeypatch)
    kept, _ = prefixes(opened, opened.user_state(TEXTS), monkeypatch)
    torch.testing.assert_close(kept, whole, rtol=8 * HALF, atol=8 * HALF * whole.abs().max())
    with pytest.raises(ModelError, match=r"trained for the method embedding-to-prefix, not pplug"):
        DeployedPlug.from_pretrained(saved, llm, method=PPlug)


class Halved(PPlug):
    """A variant that no registry knows."""

    name = "halved"

    def prefix(self, batch):
        return super().prefix(batch) / 2


def test_a_class_of_ones_own_opens_its_plug(trained, llm):
    saved = trained(method=Halved)[1]
    assert type(DeployedPlug.from_pretrained(saved, llm, method=Halved).method) is Halved
    with pytest.raises(ConfigError, match="unknown method 'halved'"):
        DeployedPlug.from_pretrained(saved, llm)


def test_what_answered_before_leaves_no_trace(trained, llm):
    opened = DeployedPlug.from_pretrained(trained()[1], llm)
    encoder = opened.method.runtime.encoder
    for calls in (4, 8):  # the history's texts are encoded each time: none is kept
        opened.respond(PROMPTS[0], TEXTS)
        assert encoder.calls == calls
    assert "embeddings" not in vars(opened.method.runtime)
    state = opened.user_state(TEXTS)
    opened.respond(PROMPTS[0], state)
    assert encoder.calls == 12
    opened = DeployedPlug.from_pretrained(
        trained({"text": "recency"}, seed=1)[1], llm
    )  # counts the texts' tokens
    opened.respond(PROMPTS[0], TRAIN.examples[0].history)
    assert {len(key) for key in llm.tokens._counted} == {16}  # by hash: none is kept


def test_a_state_of_another_plug_is_refused_by_name(trained, llm):
    mine = DeployedPlug.from_pretrained(trained()[1], llm)
    state = mine.user_state(TEXTS)
    other = DeployedPlug.from_pretrained(trained(seed=1)[1], llm)
    with pytest.raises(ModelError, match=rf"{mine.fingerprint} \(pplug, LaMP-3\).*this one is"):
        other.respond(PROMPTS[0], state)
    assert mine.respond(PROMPTS[0], state)


def test_a_state_of_another_encoder_is_refused_by_name(trained, llm):
    state = DeployedPlug.from_pretrained(trained()[1], llm).user_state(TEXTS)
    other = DeployedPlug.from_pretrained(trained(encoder="encoder-other")[1], llm)
    with pytest.raises(ModelError, match=r"made by the encoder \S+/encoder .*/encoder-other"):
        other.respond(PROMPTS[0], state)


def test_fingerprints_are_of_weights_not_of_places(trained, llm, folder, tmp_path):
    plug, saved = trained()
    shutil.copytree(folder / "encoder", tmp_path / "moved")
    encoder = open_encoder(tmp_path / "moved", tmp_path)
    opened = DeployedPlug.from_pretrained(saved, llm, encoder=encoder)
    assert opened.method.runtime.encoder is encoder
    assert opened.fingerprint == DeployedPlug(plug).fingerprint
    with torch.no_grad():
        opened.method.plug.projector.first.weight[0, 0] += 1
    assert DeployedPlug(opened.method).fingerprint != DeployedPlug(plug).fingerprint


def test_fingerprints_follow_the_weights(trained, llm, tmp_path):
    plug, saved = trained()
    first = DeployedPlug(plug).fingerprint
    again, _ = trained(seed=1)
    plug.load(saved)
    assert DeployedPlug(plug).fingerprint == DeployedPlug(again).fingerprint != first


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"text": "bm25"}, "text side 'bm25'"),
        ({"text": "dense", "text_options": {"k": 1}}, "text side 'dense'"),
        ({"user": False}, "no vectors of a user"),
        ({"history_top_k": 2}, "no vectors of a user"),
    ],
)
def test_where_the_texts_are_needed_vectors_are_refused(trained, llm, options, why):
    opened = DeployedPlug.from_pretrained(trained(options)[1], llm)
    items = [Behavior(str(i), text, text, "5") for i, text in enumerate(TEXTS)]
    with pytest.raises(ConfigError, match=f"{why}.*Give the texts themselves"):
        opened.user_state(items)
    assert isinstance(opened.respond(PROMPTS[0], items), str)


@pytest.mark.parametrize("options", [{"text": "bm25"}, {"labels_in_history": True}])
def test_plain_texts_are_refused_where_responses_are_read(trained, llm, options):
    opened = DeployedPlug.from_pretrained(trained(options)[1], llm)
    with pytest.raises(DataError, match="reads the user's responses"):
        opened.respond(PROMPTS[0], TEXTS)


@pytest.mark.parametrize(
    ("input", "history", "why"),
    [
        ("Fine.", TEXTS, r"not a LaMP-3 prompt.*Give LaMP-3's official prompt"),
        (PROMPTS[0], "one text", "not a sequence of texts"),
        (PROMPTS[0], [*TEXTS, None], "not a sequence of texts"),
        (PROMPTS[0], None, "not a sequence of texts"),
        (PROMPTS[0], iter(TEXTS), "not a sequence of texts"),
    ],
)
def test_wrong_input_says_what_is_right(trained, llm, input, history, why):
    opened = DeployedPlug.from_pretrained(trained()[1], llm)
    with pytest.raises(DataError, match=why):
        opened.respond(input, history)


def test_another_llm_is_refused_by_name(trained, folder):
    with pytest.raises(ModelError, match=r"LLM \S+/t5 .*, not \S+/t5-other"):
        DeployedPlug.from_pretrained(trained()[1], open_llm(folder / "t5-other"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"trained_for": {"method": "pplug", "method version": 99}}, "version 99"),
        ({"trained_for": 1}, "is not the description"),
        ({"config": {"atention": True}}, "atention"),
        ({"encoder": {"mode": 1}}, "model"),
        ({"task": "LaMP-33"}, "unknown task"),
        ({"max_input_tokens": None}, "does not describe"),
    ],
)
def test_a_description_that_does_not_fit_is_named(trained, llm, change, why):
    saved = trained()[1]
    about = json.loads((saved / "plug.json").read_text())
    (saved / "plug.json").write_text(json.dumps(about | change))
    with pytest.raises(BenchError, match=why):
        DeployedPlug.from_pretrained(saved, llm)


def test_a_plug_of_a_version_without_an_option_has_its_default(trained, llm):
    saved = trained()[1]
    about = json.loads((saved / "plug.json").read_text())
    beyond = {"learn_temperature", "top_p", "recency", "attention_learning_rate", "views"}
    assert beyond <= about["config"].keys()
    about["config"] = {k: v for k, v in about["config"].items() if k not in beyond}
    before = DeployedPlug.from_pretrained(saved, llm).fingerprint
    (saved / "plug.json").write_text(json.dumps(about))
    opened = DeployedPlug.from_pretrained(saved, llm)
    assert opened.fingerprint == before
    assert opened.method.config.views == ("whole",)


def test_a_controls_plug_is_refused(trained, llm):
    saved = trained()[1]
    (saved / "control.json").write_text("{}")
    with pytest.raises(ModelError, match="other users' histories"):
        DeployedPlug.from_pretrained(saved, llm)


def test_no_plug_at_all(llm, tmp_path):
    with pytest.raises(ModelError, match="no readable plug"):
        DeployedPlug.from_pretrained(tmp_path, llm)


def test_broken_states_are_refused(trained, llm, tmp_path):
    file = tmp_path / "user.safetensors"
    state = DeployedPlug.from_pretrained(trained()[1], llm).user_state(TEXTS)
    about = {"stored": "history matrix", **dataclasses.asdict(state.origin)}
    for tensors, metadata in [
        ({"vectors": state.vectors}, None),
        ({"vectors": state.vectors}, {**about, "stored": "texts"}),
        ({"vectors": state.vectors.float()}, about),
        ({"vectors": state.vectors[0]}, about),
        ({"vectors": state.vectors, "ages": state.vectors[0, :3].clone()}, about),
        ({"other": state.vectors}, about),
    ]:
        save_file(tensors, file, metadata=metadata)
        with pytest.raises(DataError, match=r"user.safetensors.*no readable user state"):
            UserState.load(file)
    save_file({"vectors": state.vectors}, file, metadata=about)
    assert torch.equal(UserState.load(file).vectors, state.vectors)
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DataError, match="no readable user state"):
        UserState.load(file)
    with pytest.raises(DataError, match="no readable user state"):
        UserState.load(tmp_path / "absent")


def test_vectors_beyond_float16_are_refused(trained, llm):
    origin = DeployedPlug.from_pretrained(trained()[1], llm).user_state([]).origin
    with pytest.raises(ModelError, match=r"reach 1e\+05"):
        UserState.of(Stored.HISTORY, torch.full((2, 3), 1e5), None, origin)


@pytest.mark.parametrize("labels", [False, True])
def test_the_documented_example_runs(labels, trained, folder, monkeypatch, capsys):
    saved = trained({"labels_in_history": labels})[1]
    monkeypatch.setattr(sys, "argv", ["answer_one_user.py", str(saved), str(folder / "t5")])
    found = runpy.run_path(str(EXAMPLE))
    answer = found["plug"].respond(found["prompt"], found["past"])
    assert capsys.readouterr().out == f"{answer}\n"
    code = EXAMPLE.read_text().split('"""\n\n')[1]
    assert len([line for line in code.splitlines() if line]) <= 10
    assert f"```python\n{code}```" in (EXAMPLE.parents[1] / "deploying_a_plug.md").read_text()
