import json
import subprocess
import sys

import pytest
import torch

from methods.models.config import LLMConfig
from methods.models.identity import identity_of
from methods.models.loading import folder_identity, resolve, source_identity
from methods.models.opening import open_llm
from methods.models.pretrained import device_of, dtype_of, load
from tasks.common.errors import ConfigError, ModelError
from tests.methods.models.builders import ToyTask, folder

COMMIT = "0" * 39 + "a"
CPU = torch.device("cpu")


@pytest.fixture
def t5(tmp_path):
    return folder(tmp_path / "t5", "t5")


def loaded(path, dtype=torch.float32):
    return load(path, dtype=dtype, device=CPU)


def test_a_folder_is_loaded_in_eval_mode(t5):
    model, words = loaded(t5)
    assert not model.training
    assert type(model).__name__ == "T5ForConditionalGeneration"
    assert len(words) == 320
    assert type(loaded(folder(t5.parent / "llama", "llama"))[0]).__name__ == "LlamaForCausalLM"


def test_what_a_name_stands_for(t5, monkeypatch, tmp_path):
    assert resolve(str(t5), None) == t5
    monkeypatch.chdir(tmp_path)
    assert resolve("t5", None) == t5
    package = tmp_path / "some_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve("package:some_weights/model", None) == package / "model"


@pytest.mark.parametrize(
    ("model", "revision", "message"),
    [
        ("nowhere/at-all", None, "a hub name needs a pinned revision"),
        ("/nowhere/at/all", None, "is no folder"),
        ("google/flan-t5-xl", "main", "'main' is not pinned"),
        ("/nowhere/at/all", COMMIT, "is no hub name"),
        ("package:no_such_package/model", None, "is not installed"),
        ("package:json/model", COMMIT, "is no hub name"),
        ("package:json/model", None, "has no folder 'model'"),
    ],
)
def test_names_that_lead_nowhere(model, revision, message):
    with pytest.raises(ModelError, match=message) as error:
        resolve(model, revision)
    assert error.value.file == model


def test_a_hub_name_out_of_reach(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="not in the local hub cache, and the hub can't be rea"):
        resolve("google/flan-t5-xl", COMMIT)


def test_a_hub_name_in_the_cache_and_its_identity(t5, monkeypatch):
    asked = []

    def snapshot(name, *, revision, allow_patterns, **_):
        asked.append((name, revision, allow_patterns))
        return str(t5)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert resolve("google/t5", COMMIT) == t5
    assert len(asked) == 1
    (t5 / "model.safetensors").unlink()
    resolve("google/t5", COMMIT)
    assert "*.bin" in asked[-1][2]
    assert "*.bin" not in asked[0][2]
    assert source_identity("google/t5", COMMIT, t5) == f"google/t5@{COMMIT}"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "holds no config.json"),
        ("model.safetensors", "holds no weights"),
        ("tokenizer.json", "holds no tokenizer"),
    ],
)
def test_a_folder_that_lacks_something(t5, missing, message):
    (t5 / missing).unlink()
    with pytest.raises(ModelError, match=message) as error:
        loaded(t5)
    assert error.value.file == str(t5)


@pytest.mark.parametrize("kept", [0, 5, 200, -10])
def test_half_written_safetensors(t5, kept):
    weights = t5 / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"model\.safetensors: is broken or half-written"):
        loaded(t5)


def test_a_missing_shard_is_named(t5):
    index = {"metadata": {}, "weight_map": {"shared.weight": "model-00002-of-00002.safetensors"}}
    (t5 / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="model-00002-of-00002"):
        loaded(t5)


def test_missing_weights_are_not_made_up(t5):
    from safetensors.torch import load_file, save_file

    weights = load_file(t5 / "model.safetensors")
    name = next(name for name in weights if name.endswith("SelfAttention.q.weight"))
    del weights[name]
    save_file(weights, t5 / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"1 weights are missing, {name}"):
        loaded(t5)


def test_a_tokenizer_of_another_model_is_refused(t5):
    from methods.models.scratch import train_tokenizer

    lines = iter([f"many different words {i} {i * 7919}" for i in range(300)])
    train_tokenizer(lines, 400).save_pretrained(t5)
    with pytest.raises(ModelError, match="tokenizer has 400 tokens, the embedding only 320 rows"):
        loaded(t5)


def test_old_weights_come_through_the_weights_only_loader_alone(t5):
    from safetensors.torch import load_file

    weights = t5 / "model.safetensors"
    torch.save(load_file(weights), t5 / "pytorch_model.bin")
    weights.unlink()
    model, _ = loaded(t5)
    assert torch.isfinite(model.shared.weight).all()

    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("code in a weights file was run",))

    torch.save({"shared.weight": Evil()}, t5 / "pytorch_model.bin")
    with pytest.raises(ModelError, match="can't be loaded"):
        loaded(t5)


def test_code_in_a_model_folder_is_never_run(t5):
    config = json.loads((t5 / "config.json").read_text())
    config["model_type"] = "unheard_of"
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForSeq2SeqLM": "evil.Model"}
    (t5 / "config.json").write_text(json.dumps(config))
    (t5 / "evil.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelError, match="can't be loaded"):
        loaded(t5)


def test_t5_in_float16_is_refused(t5):
    with pytest.raises(ModelError, match="t5 overflows in float16"):
        loaded(t5, torch.float16)


def test_dtypes_and_devices():
    assert dtype_of("auto", CPU) == torch.float32
    assert dtype_of("bfloat16", CPU) == torch.bfloat16
    assert device_of("cpu") == CPU
    with pytest.raises(ConfigError, match="device 'nowhere'"):
        device_of("nowhere")


def test_identity_follows_content_not_place(t5, tmp_path):
    other = folder(tmp_path / "copy", "t5")
    cache = tmp_path / "cache"
    first = folder_identity(t5, cache)
    assert folder_identity(other, cache) == first
    (other / "README.md").write_text("words")
    assert folder_identity(other, cache) == first
    weights = other / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(bytes(raw))
    assert folder_identity(other, cache) != first


def test_large_files_are_read_once(tmp_path, monkeypatch):
    big = tmp_path / "model"
    big.mkdir()
    (big / "model.safetensors").write_bytes(b"x" * (2 << 20))
    cache = tmp_path / "cache"
    first = folder_identity(big, cache)
    monkeypatch.setattr("methods.models.loading.sha256_of", lambda _: pytest.fail("read again"))
    assert folder_identity(big, cache) == first


def test_what_changes_answers_changes_the_identity_and_nothing_else_does(t5, tmp_path):
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


def test_naming_an_llm_imports_no_torch():
    code = (
        "import sys, methods.models.identity, methods.models.loading\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_open_gives_the_folder_its_name_in_the_record(t5, tmp_path):
    llm = open_llm(
        LLMConfig(model=str(t5), device="cpu"), task=ToyTask(), train=None, seed=0, cache=tmp_path
    )
    assert llm.description["name"] == str(t5)
    assert llm.description["architecture"] == "T5ForConditionalGeneration"
    json.dumps(llm.description)
