"""LLMs in int8: close to float32, independent of the batch, never trained through."""

import pytest
import torch

from methods.models.config import LLMConfig
from methods.models.language_model import LanguageModel
from methods.models.opening import load_llm
from methods.models.quantization import Int8Linear, quantize_dynamic
from tasks.common.errors import ConfigError, ModelError
from tests.methods.models.builders import KINDS, PROMPTS, folder, model, tokenizer

BUDGET = {"max_new_tokens": 4, "max_input_tokens": 64}


def int8_llm(kind, **config):
    made = model(kind)
    quantize_dynamic(made, name="tiny")
    settings = LLMConfig(model="tiny", quantize="int8-dynamic", **config)
    return LanguageModel(made, tokenizer(kind), settings)


def test_a_layer_by_hand():
    """Weights 127 and -64 steps of .01; tokens scaled by their largest value, 2 and 4."""
    layer = Int8Linear(torch.tensor([[1.27, -0.64]]), torch.tensor([0.5]), "tiny")
    found = layer(torch.tensor([[2.0, 0.0], [0.0, -4.0], [0.0, 0.0]]))
    # 1.27 * 2 + .5 = 3.04; -.64 * -4 + .5 = 3.06; 0 + .5
    torch.testing.assert_close(found, torch.tensor([[3.04], [3.06], [0.5]]), atol=0.04, rtol=0)


def test_a_token_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    layer = Int8Linear(torch.randn(7, 16), None, "tiny")
    rows = torch.randn(5, 16)
    loud = torch.cat([rows, 1000 * torch.randn(3, 16)])
    assert torch.equal(layer(loud)[:5], layer(rows))
    assert torch.equal(layer(rows[2:3])[0], layer(rows)[2])
    assert torch.equal(layer(rows[None])[0], layer(rows))


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_near_float32_and_independent_of_the_batch(kind):
    exact = LanguageModel(model(kind), tokenizer(kind), LLMConfig(model="tiny"))
    llm = int8_llm(kind, batch_size=3)
    sizes = {"max_input_tokens": 64, "max_response_tokens": 8}
    texts = ["fox", "a scale", "river"]
    with torch.no_grad():
        near, tokens = llm.loss(PROMPTS[:3], texts, **sizes)
        far, _ = exact.loss(PROMPTS[:3], texts, **sizes)
        alone = torch.cat(
            [llm.loss([p], [t], **sizes)[0] for p, t in zip(PROMPTS[:3], texts, strict=True)]
        )
    torch.testing.assert_close(near, alone, rtol=0.02, atol=0.02)
    assert ((near - far).abs() / tokens).max() < 0.5
    assert not torch.equal(near, far)
    assert llm.description["parameters"] == exact.description["parameters"]
    assert llm.description["quantize"] == "int8-dynamic"


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_and_soft_tokens_are_answered(kind):
    llm = int8_llm(kind)
    prefix = torch.zeros(len(PROMPTS), 2, llm.hidden_size)
    assert len(llm.generate(PROMPTS, **BUDGET)) == len(PROMPTS)
    assert len(llm.generate(PROMPTS, **BUDGET, prefix=prefix)) == len(PROMPTS)


@pytest.mark.parametrize("kind", KINDS)
def test_training_through_it_is_refused(kind):
    llm = int8_llm(kind)
    prefix = torch.zeros(1, 2, llm.hidden_size, requires_grad=True)
    with pytest.raises(ModelError, match="no gradient passes through an LLM in int8"):
        llm.loss(["fox"], ["dog"], max_input_tokens=64, max_response_tokens=8, prefix=prefix)


def test_it_is_opened_by_its_option_and_has_a_key_of_its_own(tmp_path):
    place = str(folder(tmp_path / "llama", "llama"))
    plain = load_llm(place, device="cpu")
    llm = load_llm(place, device="cpu", quantize="int8-dynamic")
    assert llm.identity != plain.identity
    assert llm.weights == plain.weights
    assert sum(isinstance(layer, Int8Linear) for layer in llm.model.modules()) == 15  # 2 × 7 + 1
    with pytest.raises(ConfigError, match='needs dtype = "float32"'):
        load_llm(place, device="cpu", quantize="int8-dynamic", dtype="bfloat16")


def test_only_float32_on_a_cpu_can_be_quantized():
    with pytest.raises(ModelError, match="needs a CPU and float32, not cpu and float64"):
        quantize_dynamic(model("llama").double(), name="tiny")
