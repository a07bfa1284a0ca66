"""Adapters on disk, as standard peft folders."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from methods.cache.tensors import digest, write_tensors
from methods.lora.layers import target_layers
from methods.models.checkpoint import Weights
from methods.models.config import LoraConfig
from tasks.common.errors import ModelError
from tasks.common.files import write_json

if TYPE_CHECKING:
    from methods.models.language_model import LanguageModel

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""peft's prefix of weight names."""
_A, _B = ".lora_A.weight", ".lora_B.weight"


def write_adapter(
    folder: Path,
    weights: Weights,
    lora: LoraConfig,
    llm: "LanguageModel",
    facts: dict[str, str] | None = None,
) -> None:
    """Write one adapter so that `peft.PeftModel.from_pretrained(model, folder)` reads it.

    The file's metadata holds the content key of the LLM's weights and the adapter's digest, by
    which `read_adapter` detects another LLM and damage, and `facts`.

    Raises StorageError where it can't be written.
    """
    metadata = {"format": "pt", "llm": llm.weights, "sha256": digest(weights)} | (facts or {})
    stored = {f"{PREFIX}{name}": weight.contiguous() for name, weight in weights.items()}
    write_tensors(folder / WEIGHTS, stored, metadata)
    write_json(folder / CONFIG, _config(weights, lora, llm))


def read_adapter(
    folder: Path, llm: "LanguageModel", lora: LoraConfig
) -> tuple[Weights, dict[str, str]]:
    """The adapter in `folder` and its facts.

    Raises ModelError where it was trained for another LLM, rank, alpha or targets (which the
    message names), or is damaged or truncated.
    """
    file = folder / WEIGHTS
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        with safe_open(file, "pt") as tensors:
            facts = tensors.metadata() or {}
            names = tensors.keys()
            weights = {name.removeprefix(PREFIX): tensors.get_tensor(name) for name in names}
        found = {"rank": config["r"], "alpha": config["lora_alpha"]}
        targets = set(config["target_modules"])
    except (
        OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError,
    ) as error:  # fmt: skip
        raise ModelError(
            f"holds no readable adapter ({error})", file=folder, hint="Train it again"
        ) from error
    if facts.get("llm") != llm.weights:
        raise ModelError(
            f"the adapter was trained for the LLM {config.get('base_model_name_or_path')} "
            f"({facts.get('llm', 'its weights are not recorded')}), not {llm.name} ({llm.weights})",
            file=folder,
            hint="Load it with that LLM, or train one for this LLM",
        )
    wanted: dict[str, Any] = {"rank": lora.rank, "alpha": lora.alpha}
    for name, value in wanted.items():
        if found[name] != value:
            raise ModelError(
                f"the adapter has {name} {found[name]}, not {value}",
                file=folder,
                hint=f"Set `lora.{name}` = {found[name]}, or train a new one",
            )
    own = target_layers(llm, lora.targets).keys()
    if targets != own:
        raise ModelError(
            f"the adapter has other layers; they differ in {min(map(str, targets ^ own))}",
            file=folder,
            hint="Set `lora.targets` as in its training, or train a new one",
        )
    if facts.get("sha256") != digest(weights):
        raise ModelError("the adapter's weights are damaged", file=file, hint="Train it again")
    return weights, facts


def join_adapters(
    first: Weights, first_lora: LoraConfig, second: Weights, second_lora: LoraConfig
) -> tuple[Weights, LoraConfig]:
    """One adapter equal to the sum of both, by concatenating their ranks.

    W x + s·B A x + s'·B' A' x = W x + [s·B, s'·B'] [A; A'] x. Its own scale is 1. A layer that only
    one of the two adapts has zeros for the other.
    """
    parts = [(first, first_lora), (second, second_lora)]
    layers = {name.removesuffix(_A) for name in (*first, *second) if name.endswith(_A)}
    weights: Weights = {}
    for layer in sorted(layers):
        some = next(part for part, _ in parts if f"{layer}{_A}" in part)
        inputs, outputs = some[f"{layer}{_A}"].shape[1], some[f"{layer}{_B}"].shape[0]
        downs, ups = [], []
        for part, lora in parts:
            down = part.get(f"{layer}{_A}", torch.zeros(lora.rank, inputs))
            up = part.get(f"{layer}{_B}", torch.zeros(outputs, lora.rank))
            downs.append(down)
            ups.append(up * (lora.alpha / lora.rank))
        weights[f"{layer}{_A}"], weights[f"{layer}{_B}"] = torch.cat(downs), torch.cat(ups, dim=1)
    rank = first_lora.rank + second_lora.rank
    targets = tuple(sorted(layers))
    return weights, LoraConfig(rank=rank, alpha=rank, dropout=0.0, targets=targets)


def _config(weights: Weights, lora: LoraConfig, llm: "LanguageModel") -> dict[str, Any]:
    """The adapter's config as peft writes it."""
    import peft
    from transformers.pytorch_utils import Conv1D

    layers = sorted(name.removesuffix(_A) for name in weights if name.endswith(_A))
    seq2seq = llm.is_encoder_decoder
    config = peft.LoraConfig(
        task_type=peft.TaskType.SEQ_2_SEQ_LM if seq2seq else peft.TaskType.CAUSAL_LM,
        base_model_name_or_path=llm.name,
        inference_mode=True,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        fan_in_fan_out=any(isinstance(llm.model.get_submodule(name), Conv1D) for name in layers),
    )
    found: dict[str, Any] = config.to_dict()
    return found | {"target_modules": layers}  # peft writes a set, whose order varies
