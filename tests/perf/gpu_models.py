"""What the GPU measurements share: models with random weights, texts of known length, timing."""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

T5_SIZES: dict[str, dict[str, int]] = {
    "t5-tiny": {
        "d_model": 64, "d_ff": 128, "d_kv": 16, "num_heads": 4, "num_layers": 2, "vocab_size": 500,
    },
    "flan-t5-base": {
        "d_model": 768, "d_ff": 2048, "d_kv": 64, "num_heads": 12, "num_layers": 12,
        "vocab_size": 32128,
    },
    "flan-t5-xxl": {
        "d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_heads": 64, "num_layers": 24,
        "vocab_size": 32128,
    },
}  # fmt: skip
LLAMA_SIZES: dict[str, dict[str, Any]] = {
    "llama-tiny": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 500,
    },
    "smollm2-135m": {
        "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
        "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
        "tie_word_embeddings": True,
    },
    "llama-3-8b": {
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
    },
}  # fmt: skip
SIZES = (*T5_SIZES, *LLAMA_SIZES)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    return torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU"


def make_llm(name: str, dtype: torch.dtype) -> tuple[Any, PreTrainedTokenizerFast]:
    """A model of that size with random weights, made on the device, and its tokenizer.

    It has no end-of-sequence token of its own, so random weights don't stop early.
    """
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with DEVICE:
            model = _make_t5(name) if name in T5_SIZES else _make_llama(name)
    finally:
        torch.set_default_dtype(before)
    model.generation_config.eos_token_id = None
    return model, _make_tokenizer(model.config.vocab_size, t5=name in T5_SIZES)


def _make_t5(name: str) -> Any:
    return T5ForConditionalGeneration(
        T5Config(
            feed_forward_proj="gated-gelu", decoder_start_token_id=0, pad_token_id=0,
            eos_token_id=1, dropout_rate=0.0, tie_word_embeddings=False, **T5_SIZES[name],
        )
    )  # fmt: skip


def _make_llama(name: str) -> Any:
    special = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    return LlamaForCausalLM(
        LlamaConfig(max_position_embeddings=8192, **special, **LLAMA_SIZES[name])
    )


def _make_tokenizer(size: int, *, t5: bool) -> PreTrainedTokenizerFast:
    """One token per word; a T5's also ends each text."""
    vocabulary = {"<pad>": 0, "</s>": 1, "<unk>": 2} | {f"w{i}": i for i in range(3, size)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    if t5:
        tokenizer.post_processor = TemplateProcessing(
            single="$A </s>", special_tokens=[("</s>", 1)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


def write_encoder(folder: Path, *, tiny: bool) -> Path:
    """Write a BERT of base size, or a tiny one, with random weights."""
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes = small | {"intermediate_size": 64} if tiny else {}
    special = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3}
    vocabulary = special | {f"w{i}": i for i in range(4, 30000)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=512,
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(1)
    BertModel(BertConfig(vocab_size=30000, **sizes)).save_pretrained(folder)
    return folder


def make_text(words: int, seed: int, vocabulary: int) -> str:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(4, vocabulary, (words,), generator=generator).tolist()
    return " ".join(f"w{i}" for i in ids)


def synchronize() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def measure_seconds(work: Callable[[], object], repeats: int = 3, warm: int = 1) -> float:
    """The median of `repeats` runs, after `warm` others."""
    for _ in range(warm):
        work()
    found = []
    for _ in range(repeats):
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        found.append(time.perf_counter() - start)
    return sorted(found)[len(found) // 2]


def measure_matmul_rate(n: int) -> float:
    """FLOP/s of the product of two random n × n matrices in bfloat16."""
    a, b = (torch.randn(n, n, device=DEVICE).bfloat16() for _ in range(2))
    return 2 * n**3 / measure_seconds(lambda: a @ b, repeats=10, warm=3)


def reset_peak() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float | None:
    """The highest memory allocated on the GPU since `reset_peak`; None without a GPU."""
    return torch.cuda.max_memory_allocated() / 2**30 if DEVICE.type == "cuda" else None


def report(**figures: object) -> None:
    """Print one line of JSON, with the device and torch's version."""
    print(json.dumps({"device": device_name(), "torch": torch.__version__} | figures), flush=True)


def size_parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser that takes a size of LLM and `--tiny`, which tries the script out in seconds."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("llm", choices=SIZES)
    parser.add_argument("--tiny", action="store_true", help="short texts and few steps")
    return parser
