"""Plugs opened outside the harness answer as they did in it."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch

from methods.embedding_to_prefix import EmbeddingToPrefix
from methods.pplug import PPlug
from methods.prefix.deploy import DeployedPlug
from tasks import Behavior
from tasks.common.errors import BenchError, ConfigError, DataError, ModelError
from tests.methods.prefix.trained_plugs import (
    HALF,
    OTHERS,
    PROMPTS,
    TEXTS,
    TRAIN,
    asked,
    open_encoder,
    open_llm,
    prefixes,
)

EXAMPLE = Path(__file__).parents[3] / "docs/examples/answer_one_user.py"


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
