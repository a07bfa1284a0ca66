"""Rows of one batch with their own adapters: by hand, with beams, on three architectures."""

import pytest
import torch

from methods.lora.layers import AdapterStack, target_layers
from methods.models.config import LoraConfig
from tasks.common.errors import ConfigError, ModelError
from tasks.common.seeds import Seeds
from tests.methods.lora.builders import TARGETS, exact, fill_stack, lora
from tests.methods.models.builders import KINDS, PROMPTS, llm

ASK = {"max_new_tokens": 6, "max_input_tokens": 20}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def compute_merged(model, kind, stack, adapter, prompt):
    """NLL and answer with W + (alpha/r)·B A in place of W, by plain matrix products."""
    weights, scale = stack.weights(adapter), stack.lora.alpha / stack.lora.rank
    layers = target_layers(model, TARGETS[kind])
    before = {name: layer.weight.data.clone() for name, layer in layers.items()}
    for name, layer in layers.items():
        update = scale * weights[f"{name}.lora_B.weight"] @ weights[f"{name}.lora_A.weight"]
        layer.weight.data += update.T if kind == "gpt2" else update
    nll, _ = model.loss([prompt], ["the river bank"], max_input_tokens=20, max_response_tokens=8)
    answer = model.generate([prompt], **ASK)[0].text
    for name, layer in layers.items():
        layer.weight.data = before[name]
    return nll[0], answer


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_each_row_uses_its_own_adapter_as_if_merged(kind, beams):
    model = exact(kind, batch_size=3, decoding={"num_beams": beams, "max_new_tokens": 6})
    stack = fill_stack(model, kind, 4)
    adapters = [2, 0, 3, 1, 0, 2, 3]
    wanted = [
        compute_merged(model, kind, stack, u, p) for u, p in zip(adapters, PROMPTS, strict=True)
    ]
    with stack.attached():
        stack.use(adapters)
        nll, _ = model.loss(
            PROMPTS, ["the river bank"] * 7, max_input_tokens=20, max_response_tokens=8
        )
        with stack.following(model, adapters):
            answers = model.generate(PROMPTS, **ASK)
    torch.testing.assert_close(nll, torch.stack([n for n, _ in wanted]), rtol=1e-9, atol=1e-9)
    assert [answer.text for answer in answers] == [text for _, text in wanted]
    plain = model.generate(PROMPTS, **ASK)
    same = [one == other for one, other in zip(answers, plain, strict=True)]
    assert (same[2], same[6]) == (True, True)  # zero adapters
    assert not all(same)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_changes_losses_only_by_rounding(kind):
    model = llm(kind)
    stack = AdapterStack(model, lora(kind), 2).eval()
    with torch.no_grad():
        for place, weight in enumerate(stack.parameters()):
            random = torch.Generator().manual_seed(place)
            weight.copy_(0.1 * torch.randn(weight.shape, generator=random))
    found = []
    for enabled in (False, True):
        with stack.attached(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            stack.use([0, 1, 1])
            nll, _ = model.loss(
                PROMPTS[:3], ["the river bank"] * 3, max_input_tokens=20, max_response_tokens=8
            )
        nll.sum().backward()
        assert all(weight.grad.dtype == torch.float32 for weight in stack.parameters())
        found.append(nll.detach())
    whole, rounded = found
    assert not torch.equal(whole, rounded)
    torch.testing.assert_close(rounded, whole, rtol=0.02, atol=0.02)


def test_label_likelihoods_use_their_prompts_adapters():
    model = exact("t5", batch_size=3)
    stack = fill_stack(model, "t5", 3)
    adapters, labels = [1, 0, 2, 1, 1, 0, 2], ["fox", "a river bank"]
    with stack.attached(), stack.following(model, adapters):
        found = model.label_likelihoods(PROMPTS, labels, max_input_tokens=20)
        alone = []
        for adapter, prompt in zip(adapters, PROMPTS, strict=True):
            with stack.following(model, [adapter]):
                alone.append(model.label_likelihoods([prompt], labels, max_input_tokens=20)[0])
    torch.testing.assert_close(found, torch.stack(alone), rtol=1e-9, atol=1e-9)
    assert model.before_batch([1]) == [1]  # the listener is removed


@pytest.mark.parametrize(
    ("kind", "ends"), [("t5", {"q", "v"}), ("llama", {"q_proj", "v_proj"}), ("gpt2", {"c_attn"})]
)
def test_default_targets_are_pefts(kind, ends):
    found = target_layers(llm(kind, device="cpu"), None)
    assert {name.rpartition(".")[2] for name in found} == ends


@pytest.mark.parametrize(
    ("kind", "targets", "ends"),
    [
        ("t5", ["q", "k", "v"], {"q", "k", "v"}),
        ("llama", ["q", "k", "v"], {"q_proj", "k_proj", "v_proj"}),
        ("llama", ["self_attn.q_proj", "gate"], {"q_proj", "gate_proj"}),
    ],
)
def test_a_target_fits_the_architectures_own_name(kind, targets, ends):
    found = target_layers(llm(kind, device="cpu"), targets)
    assert {name.rpartition(".")[2] for name in found} == ends


def test_an_unknown_target_names_the_near_ones():
    with pytest.raises(ConfigError, match=r"'q_prj' is not a linear layer of in memory.*q_proj"):
        target_layers(llm("llama", device="cpu"), ["q_prj"])
    model = llm("t5", device="cpu")
    with pytest.raises(ConfigError, match="'shared'"):  # an embedding is not a linear layer
        target_layers(model, ["shared"])
    model.model.config.model_type = "unheard-of"
    with pytest.raises(ConfigError, match=r"no default LoRA targets for 'unheard-of'.*\bwi\b"):
        target_layers(model, None)


def test_initial_weights_follow_peft_and_the_users_seeds():
    model = llm("t5", device="cpu")
    shape = LoraConfig(rank=2)
    many, one = AdapterStack(model, shape, 3), AdapterStack(model, shape)
    many.draw(2, Seeds.root("user", 7))
    one.draw(0, Seeds.root("user", 7))
    for name, weight in one.weights(0).items():
        assert torch.equal(weight, many.weights(2)[name])
        if "lora_A" in name:  # Kaiming-uniform with a = √5: U(±1/√inputs)
            bound = weight.shape[1] ** -0.5
            assert 0.8 * bound < weight.abs().max() <= bound
        else:
            assert not weight.any()
    many.draw(0, Seeds.root("user", 8))
    assert not torch.equal(many.down[0][0], many.down[0][2])


def test_adapters_of_another_shape_are_refused():
    model = llm("t5", device="cpu")
    stack = AdapterStack(model, LoraConfig(rank=2))
    other = AdapterStack(model, LoraConfig(rank=3)).weights(0)
    with pytest.raises(ModelError, match=r"lora_A.weight is \(3, 16\), expected \(2, 16\)"):
        stack.put(0, other)


def test_inputs_without_a_row_dimension_are_refused():
    model = llm("t5", device="cpu")
    stack = fill_stack(model, "t5", 2)
    stack.use([0, 1, 0])
    with stack.attached(), pytest.raises(ModelError, match="for 3 rows"):
        model.loss(PROMPTS[:2], ["a", "b"], max_input_tokens=20, max_response_tokens=4)


def test_rows_are_copied_to_the_device_once_per_batch():
    """By every layer that is adapted, whatever their number; beams have their own copy."""
    stack = AdapterStack(llm("llama", device="cpu"), lora("llama"), 3)
    layer, x = torch.nn.Linear(1, 1), torch.zeros(2, 5, 4, device="meta")
    stack.use([2, 0], [7, 1 << 31])
    rows = stack._expand_to_rows(stack._rows, x, layer)
    assert rows.device.type == "meta"
    assert stack._expand_to_rows(stack._rows, x, layer) is rows
    beams = stack._expand_to_rows(stack._rows, torch.zeros(4, 5, 4), layer)
    keys = stack._expand_to_rows(stack._keys, torch.zeros(2, 5, 4), layer)
    assert (beams.tolist(), keys.tolist()) == ([2, 2, 0, 0], [7, -(1 << 31)])
    stack.use([1, 1])
    assert stack._expand_to_rows(stack._rows, torch.zeros(2, 5, 4), layer).tolist() == [1, 1]
