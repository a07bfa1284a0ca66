"""An LLM's identity changes exactly when its answers can."""

import subprocess
import sys

import pytest

from methods.models.config import LLMConfig
from methods.models.identity import identity_of
from methods.models.opening import open_llm
from tests.methods.models.builders import ToyTask, folder, toy_split


@pytest.fixture
def t5(tmp_path):
    return folder(tmp_path / "t5", "t5")


def test_the_identity_changes_exactly_with_what_changes_answers(t5, tmp_path):
    def identity(seed=0, train="f", **config):
        return identity_of(
            LLMConfig.model_validate({"model": str(t5)} | config), task=ToyTask(),
            train_fingerprint=train, seed=seed, cache=tmp_path,
        )  # fmt: skip

    plain = identity()
    same = [
        {"batch_size": 3},
        {"device": "cuda"},
        {"device_map": "auto"},
        {"seed": 1},
        {"train": "g"},
    ]
    assert all(identity(**change) == plain for change in same)
    tuned = {"adapt": "full"}
    different = [
        {}, {"dtype": "bfloat16"}, {"chat_template": True}, {"decoding": {"num_beams": 1}}, tuned,
        tuned | {"seed": 1}, tuned | {"train": "g"}, tuned | {"adaptation": {"epochs": 3}},
        {"adapt": "lora"}, {"adapt": "lora", "lora": {"rank": 4}},
        {"model": None, "scratch": {}}, {"model": None, "scratch": {}, "train": "g"},
        {"model": None, "scratch": {"seed": 1}},
    ]  # fmt: skip
    assert len({identity(**change) for change in different}) == len(different)


def test_computing_an_identity_imports_no_torch():
    code = (
        "import sys, methods.models.identity, methods.models.loading\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_identity_is_known_before_weights_are_loaded(tmp_path):
    base = folder(tmp_path / "base", "t5")
    for config in (
        {"model": str(base), "device": "cpu"},
        {"model": str(base), "adapt": "full", "adaptation": {"max_steps": 1}, "device": "cpu"},
        {"scratch": {"d_model": 32, "d_ff": 64, "heads": 2}, "device": "cpu"},
    ):
        llm = LLMConfig.model_validate(config)
        task, train = ToyTask(), toy_split([("name the colour: a red box", "red")])
        known = identity_of(
            llm, task=task, train_fingerprint=train.fingerprint, seed=3, cache=tmp_path
        )
        opened = open_llm(llm, task=task, train=train, seed=3, cache=tmp_path)
        assert opened.identity == known
