"""Tiny random LLMs of three families, with their own tokenizers, made in memory."""

import functools
from pathlib import Path

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from methods.models.config import LLMConfig
from methods.models.language_model import LanguageModel
from methods.models.scratch import train_tokenizer
from tasks import Dataset, Example, Kind, Task

LINES = [
    "the quick brown fox jumps over the lazy dog near the river bank",
    "what is the score of the following review on a scale of one to five",
    "a user writes many short texts, and a model reads them all in turn",
]
PROMPTS = [
    "the quick brown fox",
    "what is the score of the following review? a model reads them all, over the river bank",
    "dog",
    "a user writes many short texts near the lazy dog in turn",
    "over and over the river, a scale of one to five, and what the model reads is short",
    "jumps",
    "many many many many texts",
]
CHAT = (
    "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }} end{% endfor %}"
    "{% if add_generation_prompt %} assistant:{% endif %}"
)
KINDS = ("t5", "llama", "gpt2")
SMALL = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}


@functools.cache
def tokenizer_file() -> str:
    return train_tokenizer(iter(LINES), 320).backend_tokenizer.to_str()


def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE; only T5's adds an end-of-sequence token, and GPT-2's has no pad token."""
    from tokenizers import Tokenizer, processors

    bpe = Tokenizer.from_str(tokenizer_file())
    if kind != "t5":
        bpe.post_processor = processors.ByteLevel()
    pad = {} if kind == "gpt2" else {"pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="</s>", **pad)  # noqa: S106


def model(kind: str, *, seed: int = 0):
    torch.manual_seed(seed)
    size = len(tokenizer(kind))
    if kind == "t5":
        made = T5ForConditionalGeneration(
            T5Config(
                vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2,
                decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
            )
        )  # fmt: skip
    elif kind == "llama":
        made = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=size, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128, **SMALL,
            )
        )  # fmt: skip
        made.generation_config.update(
            do_sample=True, temperature=0.6, top_p=0.9, max_length=7, repetition_penalty=1.3
        )
    else:
        made = GPT2LMHeadModel(
            GPT2Config(vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=128, **SMALL)
        )
    # Sharper than an untrained model, so that answers differ between prompts.
    for name, weight in made.named_parameters():
        if weight.dim() > 1 and kind != "t5":
            weight.data.mul_(20 if "wpe" in name else 10)
    return made


def llm(kind: str, *, double: bool = False, chat_template: str | None = None, **config):
    words = tokenizer(kind)
    words.chat_template = chat_template
    made = model(kind)
    return LanguageModel(
        made.double() if double else made,
        words,
        LLMConfig(model="tiny", chat_template=chat_template is not None, **config),
    )


def folder(path: Path, kind: str) -> Path:
    model(kind).save_pretrained(path)
    tokenizer(kind).save_pretrained(path)
    return path


class ToyTask(Task):
    """Only its name, version and answer budget are used here."""

    name = "toy"
    folder = "toy"
    kind = Kind.CLASSIFICATION
    metrics = ("accuracy",)
    max_new_tokens = 4

    def _unused(self, *args, **kwargs):
        raise NotImplementedError

    query = behavior = demonstration = personalized_prompt = training_pairs = score = _unused


def toy_split(pairs: list[tuple[str, str]], fingerprint: str = "f") -> Dataset:
    examples = tuple(
        Example(id=str(i), user_id=str(i), input=text, query=text, subject=text, history=())
        for i, (text, _) in enumerate(pairs)
    )
    golds = {str(i): gold for i, (_, gold) in enumerate(pairs)}
    return Dataset("toy", "train", examples, golds, fingerprint)
