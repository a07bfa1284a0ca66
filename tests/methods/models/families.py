"""Tiny random models of every family that users try, made in memory with one shared tokenizer.

`python -m tests.methods.models.families` writes the table of docs/your_models.md.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from methods.lora.layers import target_layers
from methods.models.config import LLMConfig
from methods.models.language_model import LanguageModel
from tasks.common.errors import BenchError
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


@functools.cache
def make_llm(family: str, **config: Any) -> LanguageModel:
    """A tiny LLM of `family`; the same object for the same arguments, because it is frozen."""
    model = make_model(family)
    words = tokenizer("t5" if model.config.is_encoder_decoder else "llama")
    return LanguageModel(model, words, LLMConfig(model="tiny", **config), name=f"tiny {family}")


PAGE = Path(__file__).parents[3] / "docs" / "your_models.md"
BEGIN, END = "<!-- families -->\n", "<!-- /families -->\n"
_YES = "yes"


def make_table() -> str:
    """Which methods run on which family, found out by running them; a Markdown table."""
    rows = ["family", "prompt methods", "likelihoods", "LoRA", "soft tokens", "their length"]
    lines = [rows, ["---"] * len(rows)]
    for family in FAMILIES:
        llm = make_llm(family)
        budget = {"max_input_tokens": 40}
        runs = [
            _try(lambda llm=llm, b=budget: llm.generate(["dog"], max_new_tokens=2, **b)),
            _try(lambda llm=llm, b=budget: llm.label_likelihoods(["dog"], ["fox"], **b)),
            _try(lambda llm=llm: target_layers(llm, None)),
            _try(llm.embedding_scale),
        ]
        lines.append([family, *runs, _describe_length(llm) if runs[-1] == _YES else "–"])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _try(work: Callable[[], object]) -> str:
    try:
        work()
    except BenchError as error:
        return "with `lora.targets`" if "lora.targets" in error.hint else "no"
    return _YES


def _describe_length(llm: LanguageModel) -> str:
    """What the rows of the embedding matrix are multiplied by before the first layer reads them."""
    weight = llm.model.get_input_embeddings().weight
    factor = llm.embedding_norm() / weight.norm(dim=1).mean().item()
    if abs(factor - 1) < 1e-3:
        return "as stored"
    return "× √hidden" if abs(factor - HIDDEN**0.5) < 0.1 else f"× {factor:.3f}"


def read_table() -> str:
    """The table that stands in the docs."""
    return PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.replace(read_table(), make_table()), encoding="utf-8")
