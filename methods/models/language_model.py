"""One frozen LLM behind one face, encoder-decoder or decoder-only."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_layers import GradientCheckpointingLayer

from methods.models import padding
from methods.models.batching import BatchSize, in_batches
from methods.models.config import LLMConfig
from methods.models.tokenization import PromptTokenizer
from tasks.common.errors import ModelError


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer and its price.

    Attributes:
        text: without special tokens and outer white space.
        prompt_tokens: as the LLM read them, soft tokens not counted.
        truncated_tokens: cut off the end of the prompt's text by the budget.
        new_tokens: generated, the end-of-sequence token included.
    """

    text: str
    prompt_tokens: int
    truncated_tokens: int
    new_tokens: int


class LanguageModel:
    """A frozen LLM: generates, and takes losses, from prompts with or without soft tokens.

    Every result is that of its row alone: batch size, batch composition and order change nothing
    but the rounding of floats. N, B: prompts; P: soft tokens; H: `hidden_size`; L: labels.

    Attributes:
        identity: content key of all that changes answers (`identity_of`).
        weights: content key of weights and tokenizer alone, what a trained plug fits.
        description: JSON for a cell's record.
        config, model, tokenizer: as loaded; the model in eval mode, without gradients.
        tokens: the `tasks.Tokenizer`, and the way between prompts and ids.
        hidden_size: of the input embeddings.
        before_batch: told, before each batch of `generate` and `label_likelihoods`, which prompts
            are its rows (indices), for what treats rows differently; beams stand beside their row.

    Args:
        weights: `identity` where not given.
        name: where the model came from, for messages and the record.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: LLMConfig,
        identity: str = "in memory",
        *,
        weights: str | None = None,
        name: str = "in memory",
    ) -> None:
        self.model: Any = model.eval().requires_grad_(requires_grad=False)
        self.tokenizer = tokenizer
        self.config = config
        self.identity = identity
        self.weights = weights or identity
        self.name = name
        self.is_encoder_decoder: bool = model.config.is_encoder_decoder
        if config.chat_template and self.is_encoder_decoder:
            raise ModelError(
                "an encoder-decoder model takes no chat template",
                file=name,
                hint="Set chat_template = false",
            )
        self.tokens = PromptTokenizer(tokenizer, chat_template=config.chat_template, name=name)
        self.hidden_size: int = self.model.get_input_embeddings().weight.shape[1]
        self._batch_size = BatchSize(config.batch_size)
        self.before_batch: Callable[[Sequence[int]], object] = lambda rows: rows
        self._embedding_norm: float | None = None
        self._accepted = set(inspect.signature(self.model.forward).parameters)
        self._eos = _ends(self.model.generation_config.eos_token_id) | {self.tokens.eos}
        # The model's own sampling, penalties and lengths would make rows unequal (law 2).
        self.model.generation_config = GenerationConfig(
            do_sample=False,
            num_beams=config.decoding.num_beams,
            early_stopping=False,
            length_penalty=1.0,
            pad_token_id=self.tokens.pad,
            eos_token_id=sorted(self._eos),
            bos_token_id=tokenizer.bos_token_id,
            decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
        )

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self.model.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the input embeddings."""
        return self.model.get_input_embeddings().weight.dtype

    @property
    def prompt_overhead(self) -> int:
        """Tokens that special tokens and chat template add; the rest of a budget is text's."""
        return self.tokens.overhead

    @property
    def description(self) -> dict[str, Any]:
        """What a reader of a cell's record must know of the LLM, as JSON."""
        return {
            "name": self.name,
            "revision": self.config.revision,
            "adapt": self.config.adapt,
            "identity": self.identity,
            "architecture": type(self.model).__name__,
            "parameters": sum(weight.numel() for weight in self.model.parameters()),
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": str(self.device),
            "attention": self.model.config._attn_implementation,
            "batch_size": self._batch_size.size,
            "num_beams": self.config.decoding.num_beams,
            "early_stopping": False,
        }

    def embedding_norm(self) -> float:
        """Mean L2 norm of the input embedding's rows; taken once, for they are frozen."""
        if self._embedding_norm is None:
            weight = self.model.get_input_embeddings().weight
            exact = weight.to(torch.promote_types(weight.dtype, torch.float32))
            self._embedding_norm = exact.norm(dim=1).mean().item()
        return self._embedding_norm

    @torch.no_grad()
    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        max_input_tokens: int,
        prefix: torch.Tensor | None = None,
    ) -> list[Generation]:
        """Answer each prompt, by beam search without sampling.

        Args:
            prompts: N texts, cut at the end to `max_input_tokens` (template and special tokens
                included and kept).
            max_new_tokens: budget of an answer, unless the config's decoding states one.
            prefix: [N, P, H] soft tokens, put before each prompt's embeddings.

        Returns:
            N generations, in the order of `prompts`.

        Raises:
            ModelError: prompt and answer exceed the model's positions, or memory.
        """
        encoded = self.tokens.encode(prompts, max_input_tokens)
        limit = self.config.decoding.max_new_tokens or max_new_tokens
        soft = 0 if prefix is None else prefix.shape[1]
        lengths = [len(prompt.ids) for prompt in encoded]
        self._check_positions(max(lengths, default=0) + soft, limit)

        def answer(rows: Sequence[int]) -> list[Generation]:
            self.before_batch(rows)
            inputs = self._inputs(
                [encoded[row].ids for row in rows],
                None if prefix is None else prefix[list(rows)],
                left=not self.is_encoder_decoder,
            )
            found = self.model.generate(**inputs, max_new_tokens=limit)
            # A decoder-only model gives back the ids it was given (not embeddings), a decoder its
            # start token.
            skipped = inputs["input_ids"].shape[1] if "input_ids" in inputs else 0
            skipped = 1 if self.is_encoder_decoder else skipped
            return [
                self._generation(encoded[row], ids)
                for row, ids in zip(rows, found[:, skipped:].tolist(), strict=True)
            ]

        return in_batches(lengths, self._batch_size, answer)

    def loss(
        self,
        prompts: Sequence[str],
        responses: Sequence[str],
        *,
        max_input_tokens: int,
        max_response_tokens: int,
        prefix: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Negative log-likelihood of each response after its prompt, in one forward pass.

        Differentiable with respect to `prefix`, and to the LLM's weights where they take gradients.

        Args:
            prompts, responses: B texts each; a response is read with the end-of-sequence token, and
                follows a decoder-only model's prompt directly.
            max_response_tokens: end-of-sequence token included; the text before it is cut.
            prefix: [B, P, H] soft tokens, put before each prompt's embeddings.

        Returns:
            nll: [B], in nats, summed over response tokens; at least float32.
            tokens: [B], response tokens counted.
        """
        encoded = [prompt.ids for prompt in self.tokens.encode(prompts, max_input_tokens)]
        targets = self.tokens.encode_responses(responses, max_response_tokens)
        forward = self._after_encoder if self.is_encoder_decoder else self._after_prompt
        logits, labels = forward(encoded, targets, prefix)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        nll = F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=padding.IGNORED
        )
        return nll.view_as(labels).sum(1), (labels != padding.IGNORED).sum(1)

    @torch.no_grad()
    def label_likelihoods(
        self,
        prompts: Sequence[str],
        labels: Sequence[str],
        *,
        max_input_tokens: int,
        prefix: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """log P(label | prompt), summed over the label's tokens and the end of sequence: [N, L]."""
        lengths = [len(prompt.ids) for prompt in self.tokens.encode(prompts, max_input_tokens)]
        longest = max(self.tokens.count(label) for label in labels) + 1

        def score(pairs: Sequence[int]) -> list[torch.Tensor]:
            rows = [pair // len(labels) for pair in pairs]
            self.before_batch(rows)
            nll, _ = self.loss(
                [prompts[row] for row in rows],
                [labels[pair % len(labels)] for pair in pairs],
                max_input_tokens=max_input_tokens,
                max_response_tokens=longest,
                prefix=None if prefix is None else prefix[rows],
            )
            return list(-nll.cpu())

        pair_lengths = [length for length in lengths for _ in labels]
        scores = in_batches(pair_lengths, self._batch_size, score)
        return (
            torch.stack(scores).view(len(prompts), len(labels))
            if scores
            else torch.empty(0, len(labels))
        )

    @contextmanager
    def checkpointed(self, enabled: bool = True) -> Iterator[None]:
        """Within, `loss` keeps no layer's activations and computes them again on the way back.

        Unlike Hugging Face's own switch, it works in eval mode, in which a frozen LLM stays.
        """
        layers = [
            layer for layer in self.model.modules() if isinstance(layer, GradientCheckpointingLayer)
        ]
        layers = layers if enabled else []
        before = [vars(layer).get("forward") for layer in layers]  # set by accelerate's hooks
        for layer in layers:
            layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
        try:
            yield
        finally:
            for layer, forward in zip(layers, before, strict=True):
                del layer.forward
                if forward is not None:
                    layer.forward = forward

    def _inputs(
        self, rows: Sequence[Sequence[int]], prefix: torch.Tensor | None, *, left: bool = False
    ) -> dict[str, torch.Tensor]:
        """Padded ids, or embeddings behind `prefix`, and their mask."""
        ids, mask = padding.pad(rows, self.tokens.pad, left=left, device=self.device)
        if prefix is None:
            return {"input_ids": ids, "attention_mask": mask}
        embedded = self.model.get_input_embeddings()(ids)
        embedded, mask = padding.after_prefix(prefix.to(embedded), embedded, mask)
        return {"inputs_embeds": embedded, "attention_mask": mask}

    def _after_encoder(
        self, prompts: list[list[int]], targets: list[list[int]], prefix: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        labels, _ = padding.pad(targets, padding.IGNORED, device=self.device)
        starts = self.model.prepare_decoder_input_ids_from_labels(labels=labels)
        inputs = self._inputs(prompts, prefix)
        return self.model(**inputs, decoder_input_ids=starts, use_cache=False).logits, labels

    def _after_prompt(
        self, prompts: list[list[int]], targets: list[list[int]], prefix: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Right-padded, so that no position is without anything to attend to."""
        soft = 0 if prefix is None else prefix.shape[1]
        inputs = self._inputs([p + t for p, t in zip(prompts, targets, strict=True)], prefix)
        labels, _ = padding.pad(
            [
                [padding.IGNORED] * (soft + len(p)) + t
                for p, t in zip(prompts, targets, strict=True)
            ],
            padding.IGNORED,
            device=self.device,
        )
        # Logits are needed only from the position before the first response token on.
        first = soft + min(len(prompt) for prompt in prompts) - 1
        kept = labels.shape[1] - first
        if "logits_to_keep" in self._accepted:
            inputs["logits_to_keep"] = kept  # type: ignore[assignment]
        logits = self.model(**inputs, use_cache=False).logits[:, -kept:]
        return logits[:, :-1], labels[:, first + 1 :]

    def _generation(self, prompt: Any, ids: list[int]) -> Generation:
        ends = [position for position, token in enumerate(ids) if token in self._eos]
        ids = ids[: ends[0] + 1] if ends else ids
        return Generation(self.tokens.decode(ids), len(prompt.ids), prompt.truncated, len(ids))

    def _check_positions(self, read: int, new: int) -> None:
        limit = getattr(self.model.config, "max_position_embeddings", None)
        needed = read if self.is_encoder_decoder else read + new
        if limit is not None and needed > limit:
            raise ModelError(
                f"prompt and answer need {needed} positions, the model has {limit}",
                file=self.name,
                hint="Lower max_input_tokens or max_new_tokens",
            )


def _ends(eos: int | list[int] | None) -> set[int]:
    return set() if eos is None else {eos} if isinstance(eos, int) else set(eos)
