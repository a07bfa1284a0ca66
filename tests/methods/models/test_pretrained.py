"""LLMs loaded from folders: whole ones, incomplete ones, and those with code in them."""

import json

import pytest
import torch

from methods.models.pretrained import device_of, dtype_of, load
from methods.models.scratch import train_tokenizer
from tasks.common.errors import ConfigError, ModelError
from tests.methods.models.builders import folder

CPU = torch.device("cpu")


@pytest.fixture
def t5(tmp_path):
    return folder(tmp_path / "t5", "t5")


def load_folder(path, dtype=torch.float32):
    return load(path, dtype=dtype, device=CPU)


def test_a_folder_is_loaded_in_eval_mode(t5):
    model, words = load_folder(t5)
    assert not model.training
    assert type(model).__name__ == "T5ForConditionalGeneration"
    assert len(words) == 320
    assert type(load_folder(folder(t5.parent / "llama", "llama"))[0]).__name__ == "LlamaForCausalLM"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "has no config.json"),
        ("model.safetensors", "has no weights"),
        ("tokenizer.json", "has no tokenizer"),
    ],
)
def test_a_missing_file_is_reported(t5, missing, message):
    (t5 / missing).unlink()
    with pytest.raises(ModelError, match=message) as error:
        load_folder(t5)
    assert error.value.file == str(t5)


@pytest.mark.parametrize("kept", [0, 5, 200, -10])
def test_truncated_safetensors_are_reported(t5, kept):
    weights = t5 / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"model\.safetensors: is broken or incomplete"):
        load_folder(t5)


def test_a_missing_shard_is_named(t5):
    index = {"metadata": {}, "weight_map": {"shared.weight": "model-00002-of-00002.safetensors"}}
    (t5 / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="model-00002-of-00002"):
        load_folder(t5)


def test_missing_weights_are_not_initialized_at_random(t5):
    from safetensors.torch import load_file, save_file

    weights = load_file(t5 / "model.safetensors")
    name = next(name for name in weights if name.endswith("SelfAttention.q.weight"))
    del weights[name]
    save_file(weights, t5 / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"1 weights are missing, including {name}"):
        load_folder(t5)


def test_weights_that_the_architecture_lacks_are_reported(t5):
    """A config with one layer of two in the encoder would run on half the model."""
    config = json.loads((t5 / "config.json").read_text())
    (t5 / "config.json").write_text(json.dumps(config | {"num_layers": 1}))
    first = "encoder.block.1.layer.0.SelfAttention.k.weight"
    with pytest.raises(ModelError, match=f"8 weights have no place.*including {first}"):
        load_folder(t5)


def test_buffers_of_older_checkpoints_are_no_fault(tmp_path):
    llama = folder(tmp_path / "llama", "llama")
    buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    change_weights(llama, lambda weights: weights | buffer)
    load_folder(llama)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_reported(t5, value):
    def spoil(weights):
        weights["shared.weight"][3, 2] = value
        return weights

    change_weights(t5, spoil)
    with pytest.raises(ModelError, match=r"weight shared.weight is not finite in float32"):
        load_folder(t5)


def change_weights(place, change):
    from safetensors.torch import load_file, save_file

    file = place / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("quantization", "message"),
    [
        ({"quant_method": "bitsandbytes"}, "with bitsandbytes, .*: pip install bitsandbytes"),
        ({"load_in_4bit": True}, "with bitsandbytes, .*: pip install bitsandbytes"),
        ({"quant_method": "gptq"}, "with gptq, .*: pip install optimum gptqmodel"),
        ({"quant_method": "awq"}, "with awq, .*: pip install gptqmodel"),
        ({"quant_method": "auto-round"}, "auto_round is not installed.*: pip install auto-round"),
        ({"quant_method": "quanto"}, "quanto is not installed.*: pip install optimum-quanto"),
    ],
)
def test_a_missing_package_for_quantized_weights_is_named(t5, monkeypatch, quantization, message):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    add_quantization(t5, quantization)
    with pytest.raises(ModelError, match=message):
        load_folder(t5)


def test_an_unknown_quantization_is_reported(t5):
    for quantization in ({"quant_method": "unheard-of"}, {"bits": 4}, "int3"):
        add_quantization(t5, quantization)
        with pytest.raises(ModelError, match=r"can't be loaded|doesn't know its quantization"):
            load_folder(t5)


def add_quantization(place, quantization):
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"quantization_config": quantization}))


def test_quantized_weights_stay_quantized(tmp_path):
    pytest.importorskip("bitsandbytes", reason="needs bitsandbytes")
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    place = folder(tmp_path / "llama", "llama")
    four_bit = AutoModelForCausalLM.from_pretrained(
        place, quantization_config=BitsAndBytesConfig(load_in_4bit=True), device_map={"": "cpu"}
    )
    four_bit.save_pretrained(place)
    model, _ = load_folder(place)
    assert type(model.model.layers[0].mlp.up_proj).__name__ == "Linear4bit"


def test_a_config_that_is_no_json_is_reported(t5):
    for text in ("", "{", "[]", "7"):
        (t5 / "config.json").write_text(text)
        with pytest.raises(ModelError, match=r"config\.json: is not a readable configuration"):
            load_folder(t5)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_json_that_is_nested_too_deeply_is_reported(t5, name):
    (t5 / name).write_text("[" * 100_000)
    with pytest.raises(ModelError, match=str(t5)):
        load_folder(t5)


def test_a_tokenizer_of_another_model_is_refused(t5):
    lines = iter([f"many different words {i} {i * 7919}" for i in range(300)])
    train_tokenizer(lines, 400).save_pretrained(t5)
    with pytest.raises(
        ModelError, match="tokenizer has 400 tokens but the embedding only 320 rows"
    ):
        load_folder(t5)


def test_bin_weights_are_read_only_by_the_weights_only_loader(t5):
    from safetensors.torch import load_file

    weights = t5 / "model.safetensors"
    torch.save(load_file(weights), t5 / "pytorch_model.bin")
    weights.unlink()
    model, _ = load_folder(t5)
    assert torch.isfinite(model.shared.weight).all()

    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("code in a weights file was run",))

    torch.save({"shared.weight": Evil()}, t5 / "pytorch_model.bin")
    with pytest.raises(ModelError, match="can't be loaded"):
        load_folder(t5)


def test_code_in_a_model_folder_is_never_run(t5):
    config = json.loads((t5 / "config.json").read_text())
    config["model_type"] = "unheard_of"
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForSeq2SeqLM": "evil.Model"}
    (t5 / "config.json").write_text(json.dumps(config))
    (t5 / "evil.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelError, match="can't be loaded"):
        load_folder(t5)


def test_t5_in_float16_is_refused(t5):
    with pytest.raises(ModelError, match="t5 overflows in float16"):
        load_folder(t5, torch.float16)


def test_dtypes_and_devices():
    assert dtype_of("auto", CPU) == torch.float32
    assert dtype_of("bfloat16", CPU) == torch.bfloat16
    assert device_of("cpu") == CPU
    with pytest.raises(ConfigError, match="device 'nowhere'"):
        device_of("nowhere")
