"""Adapters on disk: readable by plain peft, and refused where they don't fit."""

import json

import pytest
import torch
from peft import PeftModel

from methods.lora.adapters import CONFIG, WEIGHTS, join_adapters, read_adapter, write_adapter
from methods.lora.layers import AdapterStack
from tasks.common.errors import ModelError
from tests.methods.lora.builders import exact, fill_stack, lora
from tests.methods.models.builders import KINDS, PROMPTS, llm

ASK = {"max_input_tokens": 20, "max_response_tokens": 8}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def losses(model):
    return model.loss(PROMPTS, ["the river bank"] * 7, **ASK)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_plain_peft_reads_an_adapter_and_computes_the_same(kind, tmp_path):
    model = exact(kind)
    stack = fill_stack(model, kind, 3)
    write_adapter(tmp_path, stack.weights(1), stack.lora, model)
    assert {path.name for path in tmp_path.iterdir()} == {CONFIG, WEIGHTS}
    plain = losses(model)
    with stack.attached():
        stack.use([1] * 7)
        wanted = losses(model)
    fresh = exact(kind)
    PeftModel.from_pretrained(fresh.model, tmp_path)
    found = losses(fresh)
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
    assert (found - plain).abs().min() > 1e-6


def test_a_joined_adapter_equals_both_together(tmp_path):
    model = exact("t5")
    below = fill_stack(model, "t5", 2, rank=2, alpha=5, targets=("q", "k", "v"))
    above = fill_stack(model, "t5", 3)
    with below.attached(), above.attached():
        below.use([0] * 7)
        above.use([1] * 7)
        wanted = losses(model)
    weights, shape = join_adapters(below.weights(0), below.lora, above.weights(1), above.lora)
    assert (shape.rank, shape.alpha) == (5, 5)
    write_adapter(tmp_path, weights, shape, model)
    fresh = exact("t5")
    PeftModel.from_pretrained(fresh.model, tmp_path)
    torch.testing.assert_close(losses(fresh), wanted, rtol=1e-9, atol=1e-9)


def write(folder, kind="t5"):
    model = llm(kind, device="cpu")
    stack = fill_stack(model, kind, 2)
    write_adapter(folder, stack.weights(0), stack.lora, model, {"seconds": "2.5"})
    return model, stack


def test_an_adapter_round_trips(tmp_path):
    model, stack = write(tmp_path)
    weights, facts = read_adapter(tmp_path, model, stack.lora)
    assert facts["seconds"] == "2.5"
    assert weights.keys() == stack.weights(0).keys()
    assert all(torch.equal(weight, stack.weights(0)[name]) for name, weight in weights.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 4}, r"has rank 3, not 4.*Set `lora.rank` = 3"),
        ({"alpha": 1}, "has alpha 12, not 1"),
        ({"targets": ("q", "o")}, "has other layers; they differ in"),
    ],
)
def test_another_shape_is_reported(tmp_path, options, message):
    model, _ = write(tmp_path)
    with pytest.raises(ModelError, match=message):
        read_adapter(tmp_path, model, lora("t5", **options))


def test_another_base_model_is_reported(tmp_path):
    _, stack = write(tmp_path)
    other = llm("t5", device="cpu")
    other.weights = "other weights"
    with pytest.raises(ModelError, match=r"for the LLM in memory \(in memory\).*\(other weights\)"):
        read_adapter(tmp_path, other, stack.lora)


def test_damaged_and_truncated_files_are_reported(tmp_path):
    model, stack = write(tmp_path)
    file = tmp_path / WEIGHTS
    whole = file.read_bytes()
    file.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    with pytest.raises(ModelError, match="damaged"):
        read_adapter(tmp_path, model, stack.lora)
    for broken in (whole[: len(whole) // 2], b""):
        file.write_bytes(broken)
        with pytest.raises(ModelError, match="no readable adapter"):
            read_adapter(tmp_path, model, stack.lora)
    file.write_bytes(whole)
    (tmp_path / CONFIG).write_text(json.dumps({"r": 3}))
    with pytest.raises(ModelError, match="no readable adapter"):
        read_adapter(tmp_path, model, stack.lora)


def test_weights_of_a_stack_are_copies():
    stack = AdapterStack(llm("t5", device="cpu"), lora("t5"))
    for weight in stack.weights(0).values():
        weight.add_(1)
    assert not any(weight.any() for weight in stack.weights(0).values())
