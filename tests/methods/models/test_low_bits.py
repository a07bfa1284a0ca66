"""LLMs in 4 and 8 bits: opened by one option, trained through, and refused where they can't be."""

import importlib.util

import pytest
import torch

from methods.lora.layers import AdapterStack
from methods.models.config import LLMConfig, LoraConfig
from methods.models.language_model import LanguageModel
from methods.models.low_bits import OPTIONS, make_config
from methods.models.opening import load_llm, open_llm
from tasks.common.errors import ConfigError, ModelError
from tasks.common.seeds import Seeds
from tests.methods.models.builders import (
    KINDS,
    PROMPTS,
    ToyTask,
    folder,
    model,
    tokenizer,
    toy_split,
)  # fmt: skip

CPU = torch.device("cpu")
TEXTS = ["fox", "a scale", "river"]
SIZES = {"max_input_tokens": 64, "max_response_tokens": 8}
HAS_PACKAGE = importlib.util.find_spec("bitsandbytes") is not None
needs_package = pytest.mark.skipif(
    not HAS_PACKAGE, reason="needs bitsandbytes (pip install pplug-bench[quantized])"
)


def config(quantize, **options):
    given = {"dtype": torch.float32, "device": CPU, "kept": None, "name": "tiny"}
    return make_config(quantize, **given | options)


def test_only_the_options_of_bitsandbytes_make_a_configuration():
    assert config("none") is None
    assert config("int8-dynamic") is None
    quantize = LLMConfig.model_fields["quantize"].annotation
    assert set(OPTIONS) == {*quantize.__args__} - {"none", "int8-dynamic"}


def test_weights_that_are_quantized_already_are_refused():
    with pytest.raises(ModelError, match=r"tiny: its weights are quantized already \(gptq\)"):
        config("nf4", kept="gptq")


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    place = str(folder(tmp_path / "llama", "llama"))
    monkeypatch.setattr("methods.models.low_bits.PACKAGE", "no_such_package")
    with pytest.raises(ConfigError, match=r"not installed.*pip install 'pplug-bench\[quantized\]'"):
        load_llm(place, device="cpu", quantize="nf4")


def test_a_device_without_kernels_is_named(monkeypatch):
    monkeypatch.setattr("methods.models.low_bits.PACKAGE", "torch")
    with pytest.raises(ConfigError, match='quantize = "int8" needs a CUDA GPU or a CPU, not mps'):
        config("int8", device=torch.device("mps"))


def test_int8_has_no_outliers_which_would_depend_on_the_batch(monkeypatch):
    monkeypatch.setattr("methods.models.low_bits.PACKAGE", "torch")
    made = config("int8")
    assert (made.load_in_8bit, made.llm_int8_threshold) == (True, 0.0)


@pytest.fixture(scope="module", params=[(k, q) for k in KINDS for q in OPTIONS], ids="-".join)
def opened(request, tmp_path_factory):
    """(exact, quantized) LLM of one family."""
    kind, quantize = request.param
    place = str(folder(tmp_path_factory.mktemp(kind) / kind, kind))
    return load_llm(place, device="cpu"), load_llm(place, device="cpu", quantize=quantize)


@needs_package
def test_losses_are_near_and_independent_of_the_batch(opened):
    exact, llm = opened
    with torch.no_grad():
        near, tokens = llm.loss(PROMPTS[:3], TEXTS, **SIZES)
        far, _ = exact.loss(PROMPTS[:3], TEXTS, **SIZES)
        pairs = zip(PROMPTS[:3], TEXTS, strict=True)
        alone = torch.cat([llm.loss([p], [t], **SIZES)[0] for p, t in pairs])
    torch.testing.assert_close(near, alone, rtol=1e-3, atol=1e-3)
    assert ((near - far).abs() / tokens).max() < 3
    assert not torch.equal(near, far)


@needs_package
def test_it_is_another_llm_of_the_same_weights(opened):
    exact, llm = opened
    assert llm.weights == exact.weights
    assert llm.identity != exact.identity
    assert llm.description["parameters"] == exact.description["parameters"]
    assert llm.description["quantize"] == llm.config.quantize
    layers = [type(layer).__name__ for layer in llm.model.modules()]
    assert {"Linear8bitLt", "Linear4bit"} & set(layers)
    assert llm.model.get_input_embeddings().weight.dtype == torch.float32


@needs_package
def test_soft_tokens_and_adapters_are_trained_through_it(opened):
    """Gradient descent on either lowers the loss; the LLM's own weights get no gradient."""
    _, llm = opened
    prefix = torch.zeros(3, 2, llm.hidden_size, requires_grad=True)
    stack = AdapterStack(llm, LoraConfig(rank=2, dropout=0.0))
    stack.draw(0, Seeds.root("test"))
    losses = []
    with stack.attached():
        optimizer = torch.optim.Adam([prefix, *stack.parameters()], lr=1e-2)
        for _ in range(4):
            stack.use([0, 0, 0], [0, 0, 0])
            nll, _ = llm.loss(PROMPTS[:3], TEXTS, prefix=prefix, **SIZES)
            optimizer.zero_grad()
            nll.sum().backward()
            assert prefix.grad.abs().min(dim=-1).values.max() > 0
            losses.append(nll.sum().item())
            optimizer.step()
    assert losses[-1] < losses[0]
    assert all(weight.grad is None for weight in llm.model.parameters())
    limits = {"max_new_tokens": 3, "max_input_tokens": 64}
    assert len(llm.generate(PROMPTS[:3], prefix=prefix.detach(), **limits)) == 3


@needs_package
def test_a_gradient_through_nf4_is_that_of_its_rounded_weights(tmp_path):
    """Against the same model in float32 with the weights that 4 bits stand for."""
    from bitsandbytes.functional import dequantize_4bit

    made = model("llama")
    llm = LanguageModel(made, tokenizer("llama"), LLMConfig(model="tiny"))
    quantized = load_llm(str(folder(tmp_path / "llama", "llama")), device="cpu", quantize="nf4")
    for name, layer in quantized.model.named_modules():
        if type(layer).__name__ == "Linear4bit":
            rounded = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
            made.get_submodule(name).weight.data.copy_(rounded)
    gradients = []
    for each in (llm, quantized):
        prefix = torch.ones(1, 2, llm.hidden_size, requires_grad=True)
        each.loss(["fox"], ["dog"], prefix=prefix, **SIZES)[0].sum().backward()
        gradients.append(prefix.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-4)


@needs_package
def test_an_llm_is_adapted_before_it_is_quantized(tmp_path):
    adapted = LLMConfig(
        model=str(folder(tmp_path / "llama", "llama")), device="cpu", adapt="lora",
        adaptation={"epochs": 1, "batch_size": 2}, quantize="nf4",
    )  # fmt: skip
    train = toy_split([("the fox", "dog"), ("a scale", "river")])
    llm = open_llm(adapted, task=ToyTask(), train=train, seed=0, cache=tmp_path / "cache")
    layer = llm.local.model.model.layers[0].mlp.up_proj
    assert type(layer).__name__ == "Linear4bit"
    (kept,) = (tmp_path / "cache" / "adapted").glob("*/config.json")
    assert "quantization_config" not in kept.read_text()
