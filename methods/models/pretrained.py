"""Load the Hugging Face model and tokenizer from a folder, after checking it."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from methods.models import low_bits
from methods.models.checks import check_folder, read_quantization
from methods.models.config import DType
from tasks.common.errors import ConfigError, ModelError

# Activations of these overflow float16, which turns answers into garbage without an error.
OVERFLOWS_IN_FLOAT16 = frozenset({"t5", "mt5", "umt5", "longt5", "switch_transformers"})

EXACT = frozenset({torch.float32, torch.float64, torch.bfloat16, torch.float16})
RECOMPUTED = (".inv_freq", ".attn.bias", ".attn.masked_bias", ".position_ids")
"""Ends of buffers that older checkpoints hold and today's architectures compute themselves."""


def device_of(name: str) -> torch.device:
    """A device by name; "auto" is CUDA, else MPS, else the CPU.

    Raises ConfigError for an unknown name or an unavailable device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise ConfigError(
            f"device {name!r} can't be used ({str(error).splitlines()[0]})",
            hint='Set device = "auto", or "cpu"',
        ) from error
    return device


def dtype_of(name: DType, device: torch.device) -> torch.dtype:
    """A dtype by name; "auto" is bfloat16 on a GPU that supports it, else float32."""
    if name != "auto":
        return getattr(torch, name)
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if has_bf16 else torch.float32


def load(
    folder: Path,
    *,
    dtype: torch.dtype,
    device: torch.device,
    device_map: str | None = None,
    quantize: str = "none",
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The encoder-decoder or decoder-only LLM in `folder`, in eval mode, and its tokenizer.

    Safetensors are preferred; an older .bin is read only by torch's weights-only loader. Code from
    the folder is never run.

    Args:
        device_map: accelerate's placement, in place of `device`.
        quantize: as in `LLMConfig`, of weights that aren't quantized; "int8-dynamic" follows later.

    Weights that are quantized in the folder (bitsandbytes, GPTQ, AWQ …) stay so.

    Raises:
        ModelError: a file is missing or broken, the architecture is unknown, a package for
            quantized weights is missing, or `check_model` finds a fault.
        ConfigError: the weights can't be quantized here (`low_bits.make_config`).
    """
    weights = check_folder(folder)
    kept = read_quantization(folder)
    bits = low_bits.make_config(quantize, dtype=dtype, device=device, kept=kept, name=str(folder))
    quantized = kept is not None or bits is not None
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (
        ValueError, OSError, KeyError, ImportError, AttributeError, TypeError, RecursionError,
    ) as error:  # fmt: skip
        raise _unreadable(folder, error) from error
    if dtype == torch.float16 and config.model_type in OVERFLOWS_IN_FLOAT16:
        raise ModelError(
            f"{config.model_type} overflows in float16",
            file=folder,
            hint='Set dtype = "bfloat16" or "float32"',
        )
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    try:
        model, found = auto.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            device_map=device_map or ({"": device} if quantized else None),
            use_safetensors=weights[0].suffix == ".safetensors",
            weights_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({} if bits is None else {"quantization_config": bits}),
        )
    except torch.OutOfMemoryError:
        raise
    except (
        ValueError, OSError, KeyError, RuntimeError, ImportError, pickle.UnpicklingError, EOFError,
        AttributeError, TypeError,
    ) as error:  # fmt: skip
        raise _unreadable(folder, error) from error
    if quantized and getattr(model, "hf_quantizer", None) is None:  # transformers only logs it
        raise ModelError(
            f"transformers doesn't know its quantization ({kept})",
            file=folder,
            hint="Correct quantization_config in config.json, or name other weights",
        )
    check_model(folder, model, tokenizer, found)
    return (model if device_map or quantized else model.to(device)).eval(), tokenizer


def check_model(source: Path, model: Any, tokenizer: Any, found: Mapping[str, Any]) -> None:
    """Check that a loaded model is whole.

    Args:
        source: the folder or file it was loaded from, for messages.
        found: transformers' loading info.

    Raises:
        ModelError: weights are missing, or unknown to the architecture (a config.json with fewer
            layers than the weights); weights aren't finite; or the tokenizer has more tokens than
            the embedding has rows.
    """
    _check_complete(source, sorted(found["missing_keys"]))
    _check_known(source, sorted(found["unexpected_keys"]))
    _check_finite(source, model)
    _check_vocabulary(source, model, tokenizer)


def _unreadable(folder: Path, error: Exception) -> ModelError:
    return ModelError(
        f"can't be loaded ({str(error).splitlines()[0] if str(error) else type(error).__name__})",
        file=folder,
        hint="Fetch the files again, or save the model again as safetensors with `save_pretrained`",
    )


def _check_complete(folder: Path, missing: list[str]) -> None:
    if missing:
        raise ModelError(
            f"{len(missing)} weights are missing, including {missing[0]}",
            file=folder,
            hint="Fetch all shards of the model, or correct the architecture in config.json",
        )


def _check_known(folder: Path, unknown: list[str]) -> None:
    weights = [name for name in unknown if not name.endswith(RECOMPUTED)]
    if weights:
        raise ModelError(
            f"{len(weights)} weights have no place in the architecture, including {weights[0]}",
            file=folder,
            hint="Correct config.json (number of layers, architecture), or remove these weights",
        )


def _check_finite(folder: Path, model: Any) -> None:
    for name, weight in model.named_parameters():
        if weight.dtype not in EXACT or weight.is_meta or not weight.numel():
            continue
        low, high = weight.detach().aminmax()  # NaN if any is; needs no copy, as isfinite does
        if not (torch.isfinite(low) and torch.isfinite(high)):
            raise ModelError(
                f"the weight {name} is not finite in {str(weight.dtype).removeprefix('torch.')}",
                file=folder,
                hint='Fetch the weights again; if dtype is "float16", set "bfloat16" or "float32"',
            )


def _check_vocabulary(folder: Path, model: Any, tokenizer: Any) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ModelError(
            f"the tokenizer has {len(tokenizer)} tokens but the embedding only {rows} rows",
            file=folder,
            hint="Put the model's own tokenizer into the folder",
        )
