"""Tiny models, and plugs trained on them for a moment."""

import pytest
import torch

from bench.conformance.tiny_models import tiny_encoder, tiny_t5
from methods.pplug import PPlug
from tests.methods.helpers import runtime
from tests.methods.prefix.trained_plugs import TRAIN, open_encoder, open_llm


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("plugs")
    tiny_t5(folder / "t5")
    tiny_t5(folder / "t5-other", seed=1)
    tiny_encoder(folder / "encoder")
    tiny_encoder(folder / "encoder-other", seed=1)
    return folder


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
