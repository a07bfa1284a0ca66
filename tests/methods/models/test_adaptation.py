"""The shared LLM tuned once, resumable, in full or by LoRA."""

import json
import random

import pytest
import torch
from safetensors.torch import load_file

from methods.models import training
from methods.models.config import LLMConfig
from methods.models.opening import open_llm
from tasks import Dataset
from tasks.common.errors import ConfigError, ModelError
from tasks.common.progress import Progress
from tests.methods.models.builders import PROMPTS, ToyTask, folder, toy_split

TASK = ToyTask()
SMALL = {"d_model": 32, "d_ff": 64, "layers": 1, "decoder_layers": 1, "heads": 2, "dropout": 0.0}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def colours(n, seed):
    """Sentences with a colour word, which can be answered only by reading them."""
    choose = random.Random(seed)
    names, fillers = ["red", "green", "blue"], ["the box", "my old car", "a big tree", "her hat"]
    for _ in range(n):
        name = choose.choice(names)
        yield f"name the colour: {choose.choice(fillers)} is {name} {choose.choice(fillers)}", name


TRAIN = toy_split(list(colours(256, 0)))


def open_adapted(config, cache, *, train=TRAIN, seed=0, progress=None):
    return open_llm(
        LLMConfig.model_validate(config), task=TASK, train=train, seed=seed, cache=cache,
        progress=progress,
    )  # fmt: skip


def scratch_config(**training):
    steps = {"learning_rate": 3e-3, "batch_size": 32, "epochs": 25, "evaluations": 4}
    return {
        "scratch": SMALL | {"vocab_size": 300},
        "adapt": "full",
        "adaptation": steps | training,
        "device": "cpu",
    }


def test_a_small_t5_with_random_weights_learns(tmp_path):
    llm = open_adapted(scratch_config(), tmp_path)
    pairs = list(colours(60, 1))
    answers = llm.generate([p for p, _ in pairs], max_new_tokens=4, max_input_tokens=64)
    right = sum(answer.text == gold for answer, (_, gold) in zip(answers, pairs, strict=True))
    assert right / len(pairs) > 0.9
    assert not any(weight.requires_grad for weight in llm.model.parameters())
    record = json.loads(next(tmp_path.glob("adapted/*/adaptation.json")).read_text())
    assert record["steps"] == 200
    assert record["curve"][-1]["loss"] < 0.5 * record["curve"][0]["loss"]


def test_an_llm_is_adapted_once_per_content(tmp_path):
    config = scratch_config(max_steps=2)
    phases = []

    class Watch(Progress):
        def start(self, what, total):
            phases.append(what)

    first = open_adapted(config, tmp_path, progress=Watch())
    again = open_adapted(config, tmp_path, progress=Watch())
    assert phases == ["training"]
    assert first.identity == again.identity
    open_adapted(config, tmp_path, seed=1, progress=Watch())
    assert len(phases) == 2
    assert len(list(tmp_path.glob("adapted/[!.]*"))) == 2
    assert not list(tmp_path.glob("adapted/.*.checkpoint"))
    fit_names = {path.name for path in next(tmp_path.glob("adapted/[!.]*")).iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= fit_names


def test_a_killed_adaptation_resumes_to_the_same_weights(tmp_path, monkeypatch):
    config = scratch_config(max_steps=6, checkpoint_minutes=1e-9)
    config["scratch"] = config["scratch"] | {"dropout": 0.2}
    straight = open_adapted(config, tmp_path / "a")

    step = training._Training._step

    def killed(self, state):
        if state.step == 4:
            raise KeyboardInterrupt
        step(self, state)

    monkeypatch.setattr(training._Training, "_step", killed)
    with pytest.raises(KeyboardInterrupt):
        open_adapted(config, tmp_path / "b")
    assert not list(tmp_path.glob("b/adapted/[!.]*"))
    taken = []
    monkeypatch.setattr(
        training._Training, "_step", lambda self, state: (taken.append(1), step(self, state))
    )
    resumed = open_adapted(config, tmp_path / "b")
    assert len(taken) == 2
    for (name, one), (_, other) in zip(
        straight.model.state_dict().items(), resumed.model.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_lora_is_merged_and_changes_only_its_targets(tmp_path, kind):
    base = folder(tmp_path / "base", kind)
    config = {
        "model": str(base), "adapt": "lora", "lora": {"rank": 2, "dropout": 0.0},
        "adaptation": {"learning_rate": 0.01, "max_steps": 3, "batch_size": 16},
        "device": "cpu",
    }  # fmt: skip
    llm = open_adapted(config, tmp_path / "cache")
    weights = next(tmp_path.glob("cache/adapted/[!.]*")) / "model.safetensors"
    before, after = load_file(base / "model.safetensors"), load_file(weights)
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    targets = ("q.weight", "v.weight") if kind == "t5" else ("q_proj.weight", "v_proj.weight")
    assert changed == {name for name in before if name.endswith(targets)}
    assert not any("lora" in name for name, _ in llm.model.named_parameters())
    plain = open_adapted({"model": str(base), "device": "cpu"}, tmp_path / "cache")
    loss = {"max_input_tokens": 40, "max_response_tokens": 4}
    prompts, golds = [e.input for e, _ in TRAIN.pairs()], [g for _, g in TRAIN.pairs()]
    assert llm.loss(prompts, golds, **loss)[0].sum() < plain.loss(prompts, golds, **loss)[0].sum()
    assert llm.identity != plain.identity


def test_lora_targets_must_exist(tmp_path):
    base = folder(tmp_path / "base", "t5")
    config = {"model": str(base), "adapt": "lora", "lora": {"targets": ["nowhere"]}}
    with pytest.raises(ModelError, match="finds no modules"):
        open_adapted(config, tmp_path / "cache")


@pytest.mark.parametrize("train", [None, Dataset("toy", "train", TRAIN.examples, None, "f")])
def test_adaptation_needs_golds(tmp_path, train):
    with pytest.raises(ConfigError, match="missing or has no golds"):
        open_adapted(scratch_config(), tmp_path, train=train)


def test_full_adaptation_leaves_the_original_folder_unchanged(tmp_path):
    base = folder(tmp_path / "base", "gpt2")
    before = (base / "model.safetensors").read_bytes()
    config = {"model": str(base), "adapt": "full", "adaptation": {"max_steps": 2}, "device": "cpu"}
    llm = open_adapted(
        config | {"adaptation": {"max_steps": 2, "gradient_checkpointing": True}}, tmp_path
    )
    assert (base / "model.safetensors").read_bytes() == before
    assert llm.generate(PROMPTS[:1], max_new_tokens=2, max_input_tokens=40)


def test_quantized_weights_cannot_be_tuned(tmp_path):
    place = folder(tmp_path / "t5", "t5")
    config = json.loads((place / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (place / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"quantized \(bitsandbytes\), so it can't be tuned"):
        open_adapted({"model": str(place), "adapt": "lora", "device": "cpu"}, tmp_path)
