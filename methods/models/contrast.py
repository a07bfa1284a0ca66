"""Answers steered by what a part of the prompt changes (Context Steering, arXiv 2405.01768)."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessor

from methods.models.inputs import build_inputs


@dataclass(frozen=True, slots=True)
class Contrast:
    """What answers are steered away from.

    Each token is chosen by log p(token | prompt) +
    λ [log p(token | prompt) − log p(token | other)], normalized again.

    Attributes:
        prompts: N texts, the other reading of each prompt.
        strength: λ. 0 changes nothing; −1 leaves the answer to the other prompts.
    """

    prompts: Sequence[str]
    strength: float

    def take(self, rows: Sequence[int]) -> "Contrast":
        """The same for some of the prompts."""
        return Contrast([self.prompts[row] for row in rows], self.strength)


def steer(ours: torch.Tensor, theirs: torch.Tensor, strength: float) -> torch.Tensor:
    """Log-probabilities [B, V] of both readings → steered ones; what `ours` forbids stays so."""
    steered = ours + strength * (ours - theirs)
    return steered.masked_fill(ours.isneginf(), -torch.inf).log_softmax(-1)


class SteeredLogits(LogitsProcessor):
    """Reads the other prompts along with the answers that are generated, one batch long.

    Args:
        prompts: token ids of the other B prompts.
        pad: id that fills rows.
        skipped: columns of `input_ids` that hold the prompts whose answers are steered.
    """

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        pad: int,
        strength: float,
        *,
        skipped: int,
    ) -> None:
        self._model, self._strength, self._skipped = model, strength, skipped
        self._seq2seq: bool = model.config.is_encoder_decoder
        left = not self._seq2seq
        self._inputs: dict[str, Any] = {**build_inputs(model, prompts, pad, None, left=left)}
        self._mask: torch.Tensor = self._inputs["attention_mask"]
        known = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in known
        self._cache: Any = None
        self._read: torch.Tensor | None = None  # [R, t], what the other reading has read so far

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Steered log-probabilities [R, V] of the next token; R rows: B prompts, or their beams."""
        theirs = self._continue(input_ids[:, self._skipped :]).to(scores)
        return steer(scores.log_softmax(-1), theirs.log_softmax(-1), self._strength)

    def _continue(self, answers: torch.Tensor) -> torch.Tensor:
        """Logits [R, V] behind the R answers [R, t], each one token longer than before."""
        if self._read is None:
            logits = self._begin(answers)
        else:
            parents = self._find_parents(answers[:, :-1], self._read)
            self._cache.reorder_cache(parents)
            if not self._seq2seq:
                one = self._mask.new_ones(len(answers), 1)
                self._mask = torch.cat([self._mask[parents], one], dim=1)
            logits = self._step(answers[:, -1:])
        self._read = answers
        return logits

    def _find_parents(self, begun: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        """The row of the last step [R] that each answer [R, t] continues: a beam of its prompt.

        Of beams that read the same, any will do: their caches are equal.
        """
        prompt = torch.arange(len(read), device=read.device) // self._copies
        same = (begun[:, None] == read[None]).all(-1) & (prompt[:, None] == prompt[None])
        return same.int().argmax(1)

    def _begin(self, answers: torch.Tensor) -> torch.Tensor:
        copies = self._copies = len(answers) // len(self._mask)
        more: dict[str, Any] = {}
        if self._seq2seq:
            more["decoder_input_ids"] = answers[::copies]
        elif self._takes_positions:
            more["position_ids"] = (self._mask.cumsum(1) - 1).clamp(min=0)
        begun = self._model(**self._inputs, **more, use_cache=True)
        self._cache = begun.past_key_values
        self._cache.batch_repeat_interleave(copies)
        self._mask = self._mask.repeat_interleave(copies, dim=0)
        if self._seq2seq:
            self._states = begun.encoder_last_hidden_state.repeat_interleave(copies, dim=0)
        logits: torch.Tensor = begun.logits[:, -1].repeat_interleave(copies, dim=0)
        return logits

    def _step(self, last: torch.Tensor) -> torch.Tensor:
        if self._seq2seq:
            from transformers.modeling_outputs import BaseModelOutput

            more: dict[str, Any] = {
                "encoder_outputs": BaseModelOutput(self._states),
                "decoder_input_ids": last,
            }
        else:
            more = {"input_ids": last}
            if self._takes_positions:
                more["position_ids"] = self._mask.sum(1, keepdim=True) - 1
        found = self._model(
            **more, attention_mask=self._mask, past_key_values=self._cache, use_cache=True
        )
        logits: torch.Tensor = found.logits[:, -1]
        return logits
