"""Negative log-likelihoods of responses under a Hugging Face model of either architecture."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from methods.models import padding
from methods.models.inputs import build_inputs

TokenIds = Sequence[Sequence[int]]


def sum_nll(
    model: Any,
    prompts: TokenIds,
    responses: TokenIds,
    pad: int,
    prefix: torch.Tensor | None,
    *,
    scale: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """NLL of each response given its prompt, from one forward pass.

    Args:
        prompts, responses: token ids of B rows each.
        pad, scale: as in `build_inputs`.
        prefix: [B, P, H] soft tokens before each prompt.

    Returns:
        nll: [B], in nats, summed over response tokens; at least float32.
        tokens: [B], number of response tokens.
    """
    compute = _compute_seq2seq if model.config.is_encoder_decoder else _compute_causal
    logits, labels = compute(model, prompts, responses, pad, prefix, scale)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    nll = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=padding.IGNORED
    )
    return nll.view_as(labels).sum(1), (labels != padding.IGNORED).sum(1)


def _compute_seq2seq(
    model: Any,
    prompts: TokenIds,
    responses: TokenIds,
    pad: int,
    prefix: torch.Tensor | None,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [B, T, V] of the decoder and their labels [B, T].

    The decoder reads what it reads when it generates: the start token, the first token that the
    model forces (which is read, not scored), and the response.
    """
    inputs = build_inputs(model, prompts, pad, prefix, scale=scale)
    device, starts = inputs["attention_mask"].device, read_starts(model)
    read, _ = padding.pad([[*starts, *response] for response in responses], pad, device=device)
    ignored = [padding.IGNORED] * (len(starts) - 1)
    labels, _ = padding.pad(
        [[*ignored, *response] for response in responses], padding.IGNORED, device=device
    )
    return model(**inputs, decoder_input_ids=read[:, :-1], use_cache=False).logits, labels


def read_starts(model: Any) -> list[int]:
    """What a decoder reads before a response: the start token, and a first token that is forced."""
    settings = model.generation_config
    start, forced = settings.decoder_start_token_id, settings.forced_bos_token_id
    starts = [settings.bos_token_id if start is None else start]
    return starts if forced is None else [*starts, forced]


def _compute_causal(
    model: Any,
    prompts: TokenIds,
    responses: TokenIds,
    pad: int,
    prefix: torch.Tensor | None,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [B, T, V] that predict the responses, and their labels [B, T].

    Rows are padded on the right, so that every position has something to attend to.
    """
    soft = 0 if prefix is None else prefix.shape[1]
    pairs = list(zip(prompts, responses, strict=True))
    inputs: dict[str, Any] = {
        **build_inputs(
            model, [[*prompt, *response] for prompt, response in pairs], pad, prefix, scale=scale
        )
    }
    ignored = [[padding.IGNORED] * (soft + len(prompt)) for prompt in prompts]
    labels, _ = padding.pad(
        [[*before, *response] for before, response in zip(ignored, responses, strict=True)],
        padding.IGNORED,
        device=inputs["attention_mask"].device,
    )
    # The logits at a position predict the next token, so those before the last position of the
    # shortest prompt aren't needed.
    first = soft + min(len(prompt) for prompt in prompts) - 1
    kept = labels.shape[1] - first
    if "logits_to_keep" in inspect.signature(model.forward).parameters:
        inputs["logits_to_keep"] = kept
    logits = model(**inputs, use_cache=False).logits[:, -kept:]
    return logits[:, :-1], labels[:, first + 1 :]
