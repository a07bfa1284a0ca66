"""What is trained stands on its model's device, seen without a GPU: models on torch's "meta" device.

Only where the weights and inputs are is checked; nothing is computed there.
"""

import pytest

from methods.embedding_to_prefix import EmbeddingToPrefix
from methods.lora.layers import AdapterStack
from methods.models.config import EncoderConfig, LoraConfig
from methods.models.encoder import Encoder
from methods.pool.selector import Selector
from methods.pplug import PPlug
from methods.retrieval.tuned_encoder import TunedEncoder
from tests.methods.helpers import behavior, build, example
from tests.methods.models.builders import llm
from tests.tiny import tiny_encoder


def devices_of(module):
    return {tensor.device.type for tensor in (*module.parameters(), *module.buffers())}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("devices") / "encoder")


@pytest.fixture
def encoder(folder):
    return Encoder.open(EncoderConfig(model=str(folder), device="cpu"), cache=folder.parent)


@pytest.fixture
def elsewhere():
    model = llm("llama", device="cpu")
    model.embedding_norm()  # has no value on the meta device
    model.model.to("meta")
    return model


def test_the_selector_scores_where_its_encoder_is(encoder):
    encoder.model.to("meta")
    assert devices_of(Selector(encoder, 64)) == {"meta"}


def test_a_tuned_retriever_is_where_its_encoder_is(encoder):
    encoder.model.to("meta")
    assert devices_of(TunedEncoder(encoder)) == {"meta"}


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (EmbeddingToPrefix, {}),
        (PPlug, {"whiten": True, "time_decay": 1.0}),
        (PPlug, {"user": False}),
        (PPlug, {"learn_temperature": True, "recency": ["order", "time"], "views": ["recent"]}),
        (PPlug, {"encoder_trainable": False, "time_decay": 1.0}),
    ],
)
def test_a_plug_and_its_inputs_are_where_the_llm_is(tmp_path, elsewhere, encoder, method, options):
    built = build(method, tmp_path, options, llm=elsewhere, encoder=encoder)
    assert devices_of(built.plug) == {"meta"}
    one = example("a", "the river", [behavior("1", "a fox", date="2001-01-01")])
    built._prepare([one])
    batch = built._batch([one])
    inputs = (batch.vectors, batch.mask, batch.ages, batch.elapsed, batch.queries)
    assert {tensor.device.type for tensor in inputs if tensor is not None} == {"meta"}


def test_adapters_are_where_their_layers_are(elsewhere):
    assert devices_of(AdapterStack(elsewhere, LoraConfig(rank=2), 3)) == {"meta"}
