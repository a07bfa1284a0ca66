"""One layer's hidden states: read behind a text, and moved by a vector for each row."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from methods.models.batching import BatchSize, in_batches
from methods.models.language_model import LanguageModel
from methods.models.likelihood import read_starts
from tasks.common.errors import ModelError


def find_layers(llm: LanguageModel) -> nn.ModuleList:
    """The decoder's layers, first to last. Raises ModelError where there is no list of them."""
    model = llm.model
    decoder = model.get_decoder() if llm.is_encoder_decoder else model.base_model
    for module in decoder.modules():
        if isinstance(module, nn.ModuleList):
            return module
    raise ModelError(
        f"{type(model).__name__} keeps its layers where they can't be found",
        file=llm.name,
        hint="Take another LLM for methods that move hidden states",
    )


@torch.no_grad()
def read_last_states(
    llm: LanguageModel,
    layers: Sequence[int],
    prompts: Sequence[str],
    responses: Sequence[str],
    *,
    max_input_tokens: int,
    max_response_tokens: int,
) -> torch.Tensor:
    """The states at the last token of each response, which follows its prompt: [N, L, H] float32.

    The end-of-sequence token doesn't count; where a response is empty, the token before it does.

    Args:
        layers: L places in `find_layers`.
        prompts, responses: N texts each, with budgets as in `LanguageModel.loss`.
    """
    found = find_layers(llm)
    ends = _find_ends(llm, prompts, responses, max_input_tokens, max_response_tokens)

    def read(rows: Sequence[int]) -> list[torch.Tensor]:
        seen: dict[int, torch.Tensor] = {}

        def keep(layer: int, _module: nn.Module, _inputs: Any, output: Any) -> None:
            seen[layer] = _states_of(output)

        with ExitStack() as hooks:
            for layer in layers:
                hooks.callback(found[layer].register_forward_hook(partial(keep, layer)).remove)
            llm.loss(
                [prompts[row] for row in rows],
                [responses[row] for row in rows],
                max_input_tokens=max_input_tokens,
                max_response_tokens=max_response_tokens,
            )
        last = [ends[row] for row in rows]
        states = [seen[layer][range(len(rows)), last].float().cpu() for layer in layers]
        return list(torch.stack(states, dim=1))

    lengths = [len(prompt) + len(answer) for prompt, answer in zip(prompts, responses, strict=True)]
    states = in_batches(lengths, BatchSize(llm.config.batch_size), read)
    return torch.stack(states) if states else torch.empty(0, len(layers), llm.hidden_size)


def _find_ends(
    llm: LanguageModel,
    prompts: Sequence[str],
    responses: Sequence[str],
    max_input_tokens: int,
    max_response_tokens: int,
) -> list[int]:
    """Where each row's last token before the end of sequence stands in what the decoder reads."""
    targets = llm.tokens.encode_responses(responses, max_response_tokens)
    if llm.is_encoder_decoder:
        starts = len(read_starts(llm.model))
        return [starts + len(target) - 2 for target in targets]
    read = llm.tokens.encode(prompts, max_input_tokens)
    return [len(p.ids) + len(target) - 2 for p, target in zip(read, targets, strict=True)]


class Steering:
    """Adds a vector of its own to each row's states in one layer, from the prompt's last token on.

    Args:
        layer: place in `find_layers`.
        vectors: [N, H], those of the LLM's N prompts.
    """

    def __init__(self, llm: LanguageModel, layer: int, vectors: torch.Tensor) -> None:
        self._llm, self._layer = llm, find_layers(llm)[layer]
        self._vectors = vectors.to(llm.device)
        self._rows: Sequence[int] = ()
        self._starts: torch.Tensor | None = None

    @contextmanager
    def generating(self) -> Iterator[None]:
        """Within, `LanguageModel.generate` steers its N prompts.

        A pass over prompts, which end at their last position, and each later pass over one token
        are steered there.
        """
        before = self._llm.before_batch
        self._llm.before_batch = self._use
        with self._attached():
            try:
                yield
            finally:
                self._llm.before_batch = before

    @contextmanager
    def scoring(
        self, rows: Sequence[int], prompts: Sequence[str], max_tokens: int
    ) -> Iterator[None]:
        """Within, one call of `LanguageModel.loss` steers these rows' prompts."""
        self._use(rows)
        if self._llm.is_encoder_decoder:
            starts = [0] * len(rows)
        else:
            starts = [len(p.ids) - 1 for p in self._llm.tokens.encode(prompts, max_tokens)]
        self._starts = torch.tensor(starts, device=self._vectors.device)
        with self._attached():
            yield
        self._starts = None

    def _use(self, rows: Sequence[int]) -> None:
        self._rows = rows

    @contextmanager
    def _attached(self) -> Iterator[None]:
        handle = self._layer.register_forward_hook(self._steer)
        try:
            yield
        finally:
            handle.remove()

    def _steer(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        states = _states_of(output)
        vectors = self._vectors[list(self._rows)].to(states)
        vectors = vectors.repeat_interleave(len(states) // len(vectors), dim=0)
        places = torch.arange(states.shape[1], device=states.device)[None]
        if self._starts is None:
            steered = places == states.shape[1] - 1
        else:
            steered = places >= self._starts[:, None]
        moved = states + vectors[:, None] * steered[..., None]
        return (moved, *output[1:]) if isinstance(output, tuple) else moved


def _states_of(output: Any) -> torch.Tensor:
    """[B, T, H] of a layer's output, which some architectures return in a tuple."""
    states: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return states
