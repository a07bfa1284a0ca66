"""Tiny random models of every family that users try, made in memory with one shared tokenizer."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import transformers

from methods.models.config import LLMConfig
from methods.models.language_model import LanguageModel
from tests.methods.models.builders import tokenizer

HIDDEN = 64
"""Width of every model: √64 = 8, the factor of families that scale embeddings."""

_IDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
_ROPE = _IDS | {
    "hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
    "max_position_embeddings": 256,
}  # fmt: skip
_T5 = {
    "d_model": HIDDEN, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 4,
    "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
_BART = {
    "d_model": HIDDEN, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
    "max_position_embeddings": 256, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2,
    "decoder_start_token_id": 1, "forced_eos_token_id": None, "forced_bos_token_id": None,
}  # fmt: skip
_SCALED = _BART | {"scale_embedding": True}
_GPT2 = _IDS | {"n_embd": HIDDEN, "n_layer": 2, "n_head": 4, "n_positions": 256}
_OPT = _IDS | {
    "hidden_size": HIDDEN, "word_embed_proj_dim": HIDDEN, "ffn_dim": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 256,
}  # fmt: skip
_FALCON_H1 = _ROPE | {
    "mamba_d_ssm": 64, "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 1,
    "mamba_d_state": 16, "mamba_chunk_size": 16, "embedding_multiplier": 5.0,
}  # fmt: skip
_XGLM = _IDS | {
    "d_model": HIDDEN, "ffn_dim": 64, "num_layers": 2, "attention_heads": 4,
    "max_position_embeddings": 256, "scale_embedding": True,
}  # fmt: skip
_BIOGPT = _IDS | {
    "hidden_size": HIDDEN, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 256, "scale_embedding": True,
}  # fmt: skip

FAMILIES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "Llama": ("Llama", _ROPE),
    "Mistral": ("Mistral", _ROPE),
    "Qwen2": ("Qwen2", _ROPE),
    "Qwen3": ("Qwen3", _ROPE),
    "Gemma": ("Gemma", _ROPE),
    "Gemma 2": ("Gemma2", _ROPE),
    "Gemma 3": ("Gemma3Text", _ROPE),
    "Phi-3": ("Phi3", _ROPE),
    "GPT-2": ("GPT2", _GPT2),
    "OPT": ("OPT", _OPT),
    "XGLM": ("XGLM", _XGLM),
    "BioGPT": ("BioGpt", _BIOGPT),
    "Falcon-H1": ("FalconH1", _FALCON_H1),
    "T5": ("T5", _T5),
    "mT5": ("MT5", _T5),
    "UMT5": ("UMT5", _T5),
    "BART": ("Bart", _BART),
    "mBART": ("MBart", _SCALED),
    "Pegasus": ("Pegasus", _SCALED),
    "Marian": ("Marian", _SCALED),
    "M2M100": ("M2M100", _SCALED),
    "Blenderbot": ("Blenderbot", _SCALED),
}
"""Name in the docs → transformers' class prefix and the options of its config."""


def make_model(family: str, **options: Any) -> Any:
    """A random model of `family`, sharp enough for answers to differ between prompts."""
    prefix, config = FAMILIES[family]
    made: Callable[..., Any] = getattr(transformers, f"{prefix}Config")
    ready = made(**{"vocab_size": len(tokenizer("llama"))} | dict(config) | options)
    auto = (
        transformers.AutoModelForSeq2SeqLM
        if ready.is_encoder_decoder
        else transformers.AutoModelForCausalLM
    )
    torch.manual_seed(0)
    model = auto.from_config(ready).eval()
    for weight in model.parameters():
        if weight.dim() > 1 and "T5" not in prefix:
            weight.data.mul_(8)
    return model


def make_llm(family: str, **config: Any) -> LanguageModel:
    model = make_model(family)
    words = tokenizer("t5" if model.config.is_encoder_decoder else "llama")
    return LanguageModel(model, words, LLMConfig(model="tiny", **config), name=f"tiny {family}")
