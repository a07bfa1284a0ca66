"""A user's stored vectors: they answer as the texts do, and foreign or broken ones are refused."""

import dataclasses

import pytest
import torch
from safetensors.torch import save_file

from methods.prefix.deploy import DeployedPlug
from methods.prefix.user_state import Stored, UserState
from tasks import Behavior
from tasks.common.errors import ConfigError, DataError, ModelError
from tests.methods.prefix.trained_plugs import (
    HALF,
    OTHERS,
    PROMPTS,
    TEXTS,
    asked,
    prefixes,
)

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
