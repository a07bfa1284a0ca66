"""The likelihood of every label after a prompt that is read once."""

import inspect
from collections.abc import Callable, Container
from typing import Any

import torch
import torch.nn.functional as F
from transformers.modeling_outputs import BaseModelOutput

from methods.models import padding
from methods.models.inputs import build_inputs
from methods.models.likelihood import TokenIds, read_starts, sum_nll

_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3}
_COARSE = 5e-2  # of half precision, relative like the others

Continue = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Ids of L labels a row and their mask, [B·L, T] each → logits [B·L, T, V] behind their tokens."""


def score_labels(
    model: Any,
    prompts: TokenIds,
    labels: TokenIds,
    pad: int,
    prefix: torch.Tensor | None,
    *,
    scale: float = 1.0,
) -> torch.Tensor:
    """log P(label | prompt) of every label, from one pass over the prompts and one over the labels.

    The second pass reads the keys and values that the first one kept. An encoder runs once a
    prompt.

    Args:
        prompts: token ids of B rows.
        labels: token ids of L labels, each with the token that ends it.
        pad, prefix, scale: as in `build_inputs`.

    Returns:
        [B, L], in nats, summed over a label's tokens; at least float32.

    Raises whatever a model raises whose cache can't be repeated (`can_share`).
    """
    begin = _begin_seq2seq if model.config.is_encoder_decoder else _begin_causal
    first, go_on = begin(model, prompts, pad, prefix, scale, len(labels))
    first = first.to(torch.promote_types(first.dtype, torch.float32))
    heads = torch.tensor([label[0] for label in labels], device=first.device)
    scores = first.log_softmax(-1)[:, heads]
    if max(map(len, labels)) == 1:
        return scores
    rows = list(labels) * len(prompts)
    read, mask = padding.pad([label[:-1] for label in rows], pad, device=first.device)
    wanted, _ = padding.pad([label[1:] for label in rows], padding.IGNORED, device=first.device)
    logits = go_on(read, mask).to(scores.device, scores.dtype)
    nll = F.cross_entropy(
        logits.flatten(0, 1), wanted.flatten(), reduction="none", ignore_index=padding.IGNORED
    )
    return scores - nll.view_as(wanted).sum(1).view_as(scores)


def score_labels_apart(
    model: Any,
    prompts: TokenIds,
    labels: TokenIds,
    pad: int,
    prefix: torch.Tensor | None,
    *,
    scale: float = 1.0,
) -> torch.Tensor:
    """The same as `score_labels`, from one pass that reads each prompt once a label."""
    count = len(labels)
    nll, _ = sum_nll(
        model,
        [prompt for prompt in prompts for _ in labels],
        list(labels) * len(prompts),
        pad,
        None if prefix is None else prefix.repeat_interleave(count, dim=0),
        scale=scale,
    )
    return -nll.view(len(prompts), count)


@torch.no_grad()
def can_share(model: Any, prompts: TokenIds, labels: TokenIds, pad: int) -> bool:
    """Whether `score_labels` works for a model: tried out on short prompts of unequal length.

    The caches of some architectures (state-space models, for one) can't be repeated.
    """
    plain = score_labels_apart(model, prompts, labels, pad, None)
    try:
        shared = score_labels(model, prompts, labels, pad, None)
    except Exception:  # noqa: BLE001  whatever it is, the plain way remains
        return False
    tolerance = _TOLERANCE.get(model.get_input_embeddings().weight.dtype, _COARSE)
    return torch.allclose(shared.double(), plain.double(), rtol=tolerance, atol=tolerance)


def _begin_seq2seq(
    model: Any, prompts: TokenIds, pad: int, prefix: torch.Tensor | None, scale: float, labels: int
) -> tuple[torch.Tensor, Continue]:
    """Logits [B, V] of a label's first token, and how to go on."""
    inputs = build_inputs(model, prompts, pad, prefix, scale=scale)
    mask = inputs["attention_mask"]
    starts = torch.tensor([read_starts(model)] * len(prompts), device=mask.device)
    begun = model(**inputs, decoder_input_ids=starts, use_cache=True)
    begun.past_key_values.batch_repeat_interleave(labels)
    # The decoder reads the cached keys and values of the encoder's states, not the states.
    states = begun.encoder_last_hidden_state.repeat_interleave(labels, dim=0)

    def go_on(read: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model(
            encoder_outputs=BaseModelOutput(states),
            attention_mask=mask.repeat_interleave(labels, dim=0),
            decoder_input_ids=read,
            past_key_values=begun.past_key_values,
            use_cache=True,
        ).logits
        return logits

    return begun.logits[:, -1], go_on


def _begin_causal(
    model: Any, prompts: TokenIds, pad: int, prefix: torch.Tensor | None, scale: float, labels: int
) -> tuple[torch.Tensor, Continue]:
    """As `_begin_seq2seq`; prompts are padded on the left, so that labels directly follow them."""
    inputs: dict[str, Any] = {**build_inputs(model, prompts, pad, prefix, left=True, scale=scale)}
    mask = inputs["attention_mask"]
    known = inspect.signature(model.forward).parameters
    if "logits_to_keep" in known:
        inputs["logits_to_keep"] = 1
    begun = model(**inputs, **_positions(known, (mask.cumsum(1) - 1).clamp(min=0)), use_cache=True)
    begun.past_key_values.batch_repeat_interleave(labels)
    before = mask.repeat_interleave(labels, dim=0)

    def go_on(read: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(read.shape[1], device=mask.device)
        logits: torch.Tensor = model(
            input_ids=read,
            attention_mask=torch.cat([before, own], dim=1),
            past_key_values=begun.past_key_values,
            **_positions(known, before.sum(1, keepdim=True) + steps),
            use_cache=True,
        ).logits
        return logits

    return begun.logits[:, -1], go_on


def _positions(known: Container[str], positions: torch.Tensor) -> dict[str, torch.Tensor]:
    """For models that don't count positions from the mask themselves."""
    return {"position_ids": positions} if "position_ids" in known else {}
