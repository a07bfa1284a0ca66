"""What a model folder must hold to be loaded. Imports no torch."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from methods.models.content import weight_files
from tasks.common.errors import ModelError

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "vocab.json", "vocab.txt",
)  # fmt: skip
QUANTIZERS = {
    "awq": ("gptqmodel",), "gptq": ("optimum", "gptqmodel"), "bitsandbytes": ("bitsandbytes",),
    "bitsandbytes_4bit": ("bitsandbytes",), "bitsandbytes_8bit": ("bitsandbytes",),
    "aqlm": ("aqlm",), "auto-round": ("auto_round",), "compressed-tensors": ("compressed_tensors",),
    "eetq": ("kernels",), "hqq": ("hqq",), "mxfp4": ("kernels",), "quanto": ("optimum.quanto",),
    "quark": ("quark",), "spqr": ("spqr_quant",), "torchao": ("torchao",), "vptq": ("vptq",),
}  # fmt: skip
"""Quantization method, as config.json names it → the modules that transformers needs for it."""


def check_folder(folder: Path) -> list[Path]:
    """The weight files of a model folder, after checking that it has everything to be loaded.

    Raises:
        ModelError: config, tokenizer, weights or a shard are missing; a safetensors file is
            truncated or broken; or the weights are quantized and the package for that is missing.
    """
    if folder.is_file():
        raise ModelError(
            "is a file, where a folder is needed",
            file=folder,
            hint="Name a folder written by `save_pretrained`; only LLMs are read from .gguf files",
        )
    if not (folder / "config.json").is_file():
        raise ModelError(
            "has no config.json",
            file=folder,
            hint="Set `model` to a folder written by `save_pretrained`",
        )
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            "has no tokenizer",
            file=folder,
            hint="Put the model's tokenizer.json and tokenizer_config.json next to its weights",
        )
    weights = weight_files(folder)
    if not weights:
        raise ModelError(
            "has no weights",
            file=folder,
            hint="Put model.safetensors (or its shards with their index) into the folder",
        )
    _check_quantizer(folder)
    _check_shards(folder)
    for path in weights:
        if path.suffix == ".safetensors":
            _check_safetensors(path)
    return weights


def read_quantization(folder: Path) -> str | None:
    """The method by which the folder's weights are quantized, e.g. "gptq"; None if they aren't.

    Raises ModelError where config.json is not readable JSON.
    """
    file = folder / "config.json"
    try:
        config: Any = json.loads(file.read_text(encoding="utf-8"))
        found = config.get("quantization_config")
    except (ValueError, OSError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"is not a readable configuration ({error})", file=file, hint="Fetch the file again"
        ) from error
    if not found:
        return None
    method = found.get("quant_method") if isinstance(found, dict) else None
    if not isinstance(method, str):  # bitsandbytes' older configs name none
        bits = isinstance(found, dict) and (found.get("load_in_4bit") or found.get("load_in_8bit"))
        method = "bitsandbytes" if bits else "unknown"
    return method


def _check_quantizer(folder: Path) -> None:
    method = read_quantization(folder)
    missing = [name for name in QUANTIZERS.get(method or "", ()) if not _is_installed(name)]
    if missing:
        packages = " ".join(name.replace(".", "-").replace("_", "-") for name in missing)
        raise ModelError(
            f"its weights are quantized with {method}, and {', '.join(missing)} is not installed",
            file=folder,
            hint=f"Run: pip install {packages}. Or name a folder of weights that aren't quantized",
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # the parent of a submodule is missing
        return False


def _check_shards(folder: Path) -> None:
    for index in folder.glob("*.safetensors.index.json"):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (
            OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError,
        ) as error:  # fmt: skip
            raise ModelError(
                f"is not an index of shards ({error})", file=index, hint="Fetch the file again"
            ) from error
        missing = sorted(name for name in shards if not (folder / name).is_file())
        if missing:
            raise ModelError(
                f"refers to missing shards: {', '.join(missing)}",
                file=index,
                hint="Fetch the missing files into the folder",
            )


def _check_safetensors(path: Path) -> None:
    """Read only the header, which states the file's size."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"is broken or incomplete ({error})", file=path, hint="Fetch or save the file again"
        ) from error
