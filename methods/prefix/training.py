"""What a plug learns from: prompts, golds, and histories with a random part left out."""

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

import torch

from methods.models.training import TrainingData
from methods.prefix.histories import subset
from tasks.common.seeds import Seeds
from tasks.example import Example

if TYPE_CHECKING:
    from methods.models.language_model import LanguageModel

SHORTEST_AUGMENTED = 2
"""Histories of at most this many behaviours are not sub-sampled (methods.md §2b)."""


def make_training_data(
    examples: Sequence[Example],
    prompts: Sequence[str | None],
    golds: Sequence[str],
    *,
    prefix: Callable[[Sequence[Example]], torch.Tensor],
    llm: "LanguageModel",
    seeds: Seeds,
    max_input_tokens: int,
    max_response_tokens: int,
    augment: int,
    plain_epochs: int,
) -> TrainingData:
    """The NLL of the golds' tokens after the soft tokens and the prompt, through the frozen LLM.

    Args:
        examples: N, their histories as they are encoded.
        prompts: N; None where there is none, and nothing is learned from the example.
        golds: N responses.
        prefix: the examples of a batch → their soft tokens [B, P, H].
        seeds: for the copies.
        augment: additional copies of each example, see `leave_some_out`.
        plain_epochs: for this many first epochs, the examples' plain inputs replace the prompts.
    """
    # One row per copy; copy 0 is complete. A history too short to leave something out has none.
    rows = [
        (place, copy)
        for place, example in enumerate(examples)
        if prompts[place] is not None
        for copy in range(1 + (augment if len(example.history) > SHORTEST_AUGMENTED else 0))
    ]

    def nll(indices: Sequence[int], epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = [rows[index] for index in indices]
        copies = [leave_some_out(examples[place], seeds, epoch, copy) for place, copy in chosen]
        plain = epoch < plain_epochs
        return llm.loss(
            [examples[place].input if plain else prompts[place] or "" for place, _ in chosen],
            [golds[place] for place, _ in chosen],
            max_input_tokens=max_input_tokens,
            max_response_tokens=max_response_tokens,
            prefix=prefix(copies),
        )

    lengths = [llm.tokens.count(prompt or "") for prompt in prompts]
    return TrainingData(
        ids=[examples[place].id for place, _ in rows],
        lengths=[lengths[place] for place, _ in rows],
        nll=nll,
    )


def leave_some_out(example: Example, seeds: Seeds, epoch: int, copy: int) -> Example:
    """Copy 0 is the example; others leave out int(n·U(0, .5)) + 1 of its n behaviours."""
    if copy == 0:
        return example
    n = len(example.history)
    random = Random(seeds.seed("augment", example.id, epoch, copy))
    dropped = random.sample(range(n), int(n * random.uniform(0, 0.5)) + 1)
    return subset(example, set(range(n)) - set(dropped))
