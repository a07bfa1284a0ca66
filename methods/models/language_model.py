"""One interface to a frozen LLM, encoder-decoder or decoder-only."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from methods.models.activations import checkpoint_activations
from methods.models.batching import BatchSize, in_batches
from methods.models.config import LLMConfig
from methods.models.contrast import Contrast, steer
from methods.models.finite import check_logits, not_finite
from methods.models.generation import Generation, fix_decoding, generate_batch
from methods.models.labels import can_share, score_labels, score_labels_apart
from methods.models.likelihood import sum_nll
from methods.models.positions import check_positions
from methods.models.quantization import count_parameters
from methods.models.soft_tokens import PROBE, mean_norm, measure_scale
from methods.models.tokenization import PromptTokenizer
from tasks.common.errors import ModelError
from tasks.common.progress import Progress


class LanguageModel:
    """A frozen LLM that generates answers and computes losses, with or without soft tokens.

    A row's result doesn't depend on the other rows: batch size, composition and order change
    nothing but the rounding of floats. N, B: prompts; P: soft tokens; H: `hidden_size`; L: labels.

    Attributes:
        identity: content key of everything that changes answers (`identity_of`).
        weights: content key of the weights and tokenizer alone, which a trained plug must match.
        description: JSON for a cell's record.
        config, model, tokenizer: as loaded; the model is in eval mode, without gradients.
        tokens: the `tasks.Tokenizer`, which also converts between prompts and ids.
        hidden_size: of the input embeddings.
        before_batch: called before each batch of `generate` and `label_likelihoods` with the
            indices of its prompts, so that rows can be treated differently (a row's beams are
            adjacent).
        progress: hears how many prompts `generate` and `label_likelihoods` have answered.

    Args:
        weights: by default, `identity`.
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
        self.tokens = PromptTokenizer(
            tokenizer,
            chat_template=config.chat_template,
            name=name,
            system_prompt=config.system_prompt,
            template_options=config.chat_template_options,
            cuts_reasoning=config.reasoning == "cut",
            ends_prompts=self.is_encoder_decoder,
        )
        self.hidden_size: int = self.model.get_input_embeddings().weight.shape[1]
        self.before_batch: Callable[[Sequence[int]], object] = lambda rows: rows
        self.progress = Progress()
        self._batch_size = BatchSize(config.batch_size)
        self._embedding_scale: float | None = None
        self._embedding_norm: float | None = None
        self._shares: bool | None = None
        beams, bos = config.decoding.num_beams, tokenizer.bos_token_id
        fix_decoding(self.model, self.tokens, num_beams=beams, bos=bos)

    @property
    def local(self) -> Self:
        """The LLM itself: its weights are here."""
        return self

    @property
    def device(self) -> torch.device:
        """Of the input embeddings, where inputs are placed."""
        return self.model.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the input embeddings."""
        return self.model.get_input_embeddings().weight.dtype

    @property
    def prompt_overhead(self) -> int:
        """Tokens that special tokens and the chat template add to a prompt's text."""
        return self.tokens.overhead

    @property
    def description(self) -> dict[str, Any]:
        """What a cell's record says about the LLM, as JSON."""
        return {
            "name": self.name,
            "revision": self.config.revision,
            "adapt": self.config.adapt,
            "identity": self.identity,
            "architecture": type(self.model).__name__,
            "parameters": count_parameters(self.model),
            "dtype": str(self.dtype).removeprefix("torch."),
            "quantize": self.config.quantize,
            "device": str(self.device),
            "attention": self.model.config._attn_implementation,
            "batch_size": self._batch_size.size,
            "num_beams": self.config.decoding.num_beams,
            "early_stopping": False,
            **self.config.decoding.rule_part,
        }

    def embedding_norm(self) -> float:
        """Mean L2 norm of a token's embedding as the LLM reads it; computed once.

        Raises ModelError where the LLM takes no soft tokens.
        """
        if self._embedding_norm is None:
            self._embedding_norm = mean_norm(self.model, self.embedding_scale())
        return self._embedding_norm

    def embedding_scale(self) -> float:
        """The factor between the embedding layer's vectors and those that soft tokens are among.

        1 for most LLMs. Measured once, on a few tokens, when soft tokens are first used.

        Raises ModelError where the LLM takes no soft tokens, or can't generate from them.
        """
        if self._embedding_scale is None:
            (probe,) = self.tokens.encode([PROBE], self.prompt_overhead + len(PROBE))
            self._embedding_scale = measure_scale(self.model, probe.ids, self.name)
        return self._embedding_scale

    def check_room(self, max_new_tokens: int) -> None:
        """Raise ModelError unless there are positions for an answer behind the shortest prompt."""
        new = self.config.decoding.max_new_tokens or max_new_tokens
        check_positions(self.model, self.prompt_overhead + 1, new, self.name)

    @torch.no_grad()
    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        max_input_tokens: int,
        prefix: torch.Tensor | None = None,
        contrast: Contrast | None = None,
    ) -> list[Generation]:
        """Answer each prompt, by beam search without sampling.

        Args:
            prompts: N texts, each cut at its end to fit `max_input_tokens`, which includes the
                template and special tokens; those are never cut.
            max_new_tokens: budget of an answer, unless the config's decoding sets one.
            prefix: [N, P, H] soft tokens before each prompt's embeddings.
            contrast: N other prompts, cut like `prompts`, that the answers are steered from.

        Returns:
            N generations, in the order of `prompts`.

        Raises:
            ModelError: prompt and answer exceed the model's positions, logits are not finite, the
                LLM takes no soft tokens, or memory runs out.
        """
        encoded = self.tokens.encode(prompts, max_input_tokens)
        limit = self.config.decoding.max_new_tokens or max_new_tokens
        soft = 0 if prefix is None else prefix.shape[1]
        lengths = [len(prompt.ids) for prompt in encoded]
        check_positions(self.model, max(lengths, default=0) + soft, limit, self.name)
        scale = 1.0 if prefix is None else self.embedding_scale()
        others = [] if contrast is None else self.tokens.encode(contrast.prompts, max_input_tokens)
        longest = max((len(other.ids) for other in others), default=0)
        check_positions(self.model, longest, limit, self.name)

        def answer(rows: Sequence[int]) -> list[Generation]:
            self.before_batch(rows)
            own = None if prefix is None else prefix[list(rows)]
            batch = [encoded[row] for row in rows]
            other = None
            if contrast is not None:
                other = [others[row] for row in rows], contrast.strength
            with check_logits(self.model, self.name, [prompts[row] for row in rows], own):
                found = generate_batch(
                    self.model, self.tokens, batch, own, limit, scale=scale, contrast=other
                )
            self.progress.answer(len(rows))
            return found

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
        """Negative log-likelihood of each response given its prompt, in one forward pass.

        Differentiable with respect to `prefix` and to any LLM weights that require gradients.

        Args:
            prompts, responses: B texts each. A response ends with the end-of-sequence token; in a
                decoder-only model, it directly follows the prompt.
            max_response_tokens: includes the end-of-sequence token; longer texts are cut.
            prefix: [B, P, H] soft tokens before each prompt's embeddings.

        Returns:
            nll: [B], in nats, summed over response tokens; at least float32.
            tokens: [B], number of response tokens.

        Raises:
            ModelError: as `generate`; where the NLL has a gradient, whoever trains checks it.
        """
        encoded = [prompt.ids for prompt in self.tokens.encode(prompts, max_input_tokens)]
        targets = self.tokens.encode_responses(responses, max_response_tokens)
        soft = 0 if prefix is None else prefix.shape[1]
        read, answer = max(map(len, encoded)) + soft, max(map(len, targets))
        check_positions(self.model, read, answer, self.name)
        scale = 1.0 if prefix is None else self.embedding_scale()
        nll, tokens = sum_nll(self.model, encoded, targets, self.tokens.pad, prefix, scale=scale)
        if not nll.requires_grad and not torch.isfinite(nll).all():
            raise not_finite(self.name, prompts, prefix)
        return nll, tokens

    @torch.no_grad()
    def label_likelihoods(
        self,
        prompts: Sequence[str],
        labels: Sequence[str],
        *,
        max_input_tokens: int,
        prefix: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """log P(label | prompt), summed over the label's tokens and the end of sequence: [N, L].

        A prompt is read once for all labels, where the architecture's cache allows it
        (`score_labels`); else once a label, which gives the same but for rounding.

        Raises:
            ModelError: as `generate`.
        """
        encoded = [prompt.ids for prompt in self.tokens.encode(prompts, max_input_tokens)]
        targets = self._encode_labels(labels)
        soft = 0 if prefix is None else prefix.shape[1]
        lengths = [len(ids) for ids in encoded]
        read = max(lengths, default=0) + soft
        check_positions(self.model, read, max(map(len, targets)), self.name)
        scale = 1.0 if prefix is None else self.embedding_scale()
        score = score_labels if self._shares_prompts() else score_labels_apart

        def answer(rows: Sequence[int]) -> list[torch.Tensor]:
            self.before_batch(rows)
            own = None if prefix is None else prefix[list(rows)]
            ids = [encoded[row] for row in rows]
            found = score(self.model, ids, targets, self.tokens.pad, own, scale=scale)
            if not torch.isfinite(found).all():
                raise not_finite(self.name, [prompts[row] for row in rows], own)
            self.progress.answer(len(rows))
            return list(found.cpu())

        found = in_batches(lengths, self._batch_size, answer, copies=len(labels))
        return torch.stack(found) if found else torch.empty(0, len(labels))

    def choose_labels(
        self,
        prompts: Sequence[str],
        labels: Sequence[str],
        *,
        max_input_tokens: int,
        prefix: torch.Tensor | None = None,
        contrast: Contrast | None = None,
    ) -> list[Generation]:
        """The likeliest label after each prompt, the first of equal ones; no token is generated.

        Args and errors as `label_likelihoods`; `contrast` as in `generate`.
        """
        room = max_input_tokens
        found = self.label_likelihoods(prompts, labels, max_input_tokens=room, prefix=prefix)
        if contrast is not None:
            other = self.label_likelihoods(contrast.prompts, labels, max_input_tokens=room)
            found = steer(found, other, contrast.strength)
        return [
            Generation(labels[scores.index(max(scores))], len(prompt.ids), prompt.truncated, 0)
            for scores, prompt in zip(
                found.tolist(), self.tokens.encode(prompts, room), strict=True
            )
        ]

    def _encode_labels(self, labels: Sequence[str]) -> list[list[int]]:
        longest = max(self.tokens.count(label) for label in labels) + 1
        return self.tokens.encode_responses(labels, longest)

    def _shares_prompts(self) -> bool:
        """Whether labels can be scored behind prompts that are read once; tried out once."""
        if self._shares is None:
            self.before_batch([0, 0])
            first, room = PROBE.split()[0], self.prompt_overhead + len(PROBE)
            probes = [prompt.ids for prompt in self.tokens.encode([PROBE, first], room)]
            labels = self._encode_labels(["a", PROBE])
            self._shares = can_share(self.model, probes, labels, self.tokens.pad)
        return self._shares

    def checkpointed(self, enabled: bool = True) -> AbstractContextManager[None]:
        """Within, `loss` recomputes activations in the backward pass (`checkpoint_activations`)."""
        return checkpoint_activations(self.model) if enabled else nullcontext()
