"""Answers of a Hugging Face model by beam search: settings, one batch, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList

from methods.models.contrast import SteeredLogits
from methods.models.inputs import build_inputs
from methods.models.tokenization import EncodedPrompt, PromptTokenizer
from tasks.common.errors import ModelError

KEPT = (
    "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens",
    "bad_words_ids",
)  # fmt: skip
"""Settings that belong to a model as its vocabulary does: without them, its answers are wrong."""


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer and its cost.

    Attributes:
        text: without special tokens and surrounding white space.
        prompt_tokens: read by the LLM, without soft tokens.
        truncated_tokens: cut off the end of the prompt's text to fit the budget.
        new_tokens: generated, including the end-of-sequence token.
        error: why there is no answer; the text is "" then.
        note: what a reader must know of the answer, for the prediction's note.
    """

    text: str
    prompt_tokens: int
    truncated_tokens: int
    new_tokens: int
    error: str | None = None
    note: str | None = None


def read_texts(generations: Sequence[Generation], llm: str) -> list[str]:
    """The texts. Raises ModelError, naming the LLM, where an answer is missing."""
    for generation in generations:
        if generation.error is not None:
            raise ModelError(
                f"gives no answer to a prompt of {generation.prompt_tokens} tokens: "
                f"{generation.error}",
                file=llm,
                hint="Lower the prompt's budget, or raise the server's limit",
            )
    return [generation.text for generation in generations]


def fix_decoding(model: Any, tokens: PromptTokenizer, *, num_beams: int, bos: int | None) -> None:
    """Replace the model's own generation settings by plain beam search.

    Its sampling, penalties and lengths would treat the methods of a table differently (law 2).
    Tokens that it was trained to begin or end with, or never to write, stay as they are (`KEPT`).
    """
    own = model.generation_config
    eos = own.eos_token_id
    start = own.decoder_start_token_id
    if start is None:
        start = getattr(model.config, "decoder_start_token_id", None)
    ends = {tokens.eos} | (set() if eos is None else {eos} if isinstance(eos, int) else set(eos))
    model.generation_config = GenerationConfig(
        do_sample=False,
        num_beams=num_beams,
        early_stopping=False,
        length_penalty=1.0,
        pad_token_id=tokens.pad,
        eos_token_id=sorted(ends),
        bos_token_id=own.bos_token_id if bos is None else bos,
        decoder_start_token_id=start,
        **{name: getattr(own, name, None) for name in KEPT},
    )


def generate_batch(
    model: Any,
    tokens: PromptTokenizer,
    prompts: Sequence[EncodedPrompt],
    prefix: torch.Tensor | None,
    max_new_tokens: int,
    *,
    scale: float = 1.0,
    contrast: tuple[Sequence[EncodedPrompt], float] | None = None,
) -> list[Generation]:
    """Answers of B prompts in one call, after `fix_decoding`; the rest as in `build_inputs`.

    Args:
        contrast: B other prompts and the strength with which the answers are steered from them.
    """
    seq2seq = model.config.is_encoder_decoder
    ids = [prompt.ids for prompt in prompts]
    inputs = build_inputs(model, ids, tokens.pad, prefix, left=not seq2seq, scale=scale)
    # An encoder-decoder returns its decoder's start token first; a decoder-only model returns the
    # prompt's ids, unless it read embeddings.
    width = 0 if seq2seq or "input_ids" not in inputs else inputs["input_ids"].shape[1]
    skipped = 1 if seq2seq else width
    processors = LogitsProcessorList()
    if contrast is not None:
        others, strength = [prompt.ids for prompt in contrast[0]], contrast[1]
        processors.append(SteeredLogits(model, others, tokens.pad, strength, skipped=width))
    found = model.generate(**inputs, max_new_tokens=max_new_tokens, logits_processor=processors)
    ends = set(model.generation_config.eos_token_id)
    generations = []
    for prompt, row in zip(prompts, found[:, skipped:].tolist(), strict=True):
        end = next((place for place, token in enumerate(row) if token in ends), len(row))
        new = row[: end + 1]
        text = tokens.decode(new)
        generations.append(Generation(text, len(prompt.ids), prompt.truncated, len(new)))
    return generations
