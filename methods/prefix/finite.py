"""Soft tokens that are no numbers are an error, with the example that they are of."""

from collections.abc import Sequence

import torch

from tasks.common.errors import ModelError
from tasks.example import Example


def check_finite(tokens: torch.Tensor, examples: Sequence[Example], *, training: bool) -> None:
    """Raise ModelError, naming an example, where its soft tokens aren't finite.

    Args:
        tokens: [B, P, H], of B examples.
        training: whether the plug is being trained. If so, only tokens of empty histories count: a
            training that diverges is left to the training loop, which names the step.
    """
    finite = torch.isfinite(tokens.detach()).flatten(1).all(1)
    if finite.all():
        return
    bad = [example for example, sound in zip(examples, finite.tolist(), strict=True) if not sound]
    if not training or not any(example.history for example in bad):
        raise _not_finite(bad[0])


def _not_finite(example: Example) -> ModelError:
    what = f"the soft tokens of id {example.id} are not finite"
    if not example.history:
        return ModelError(
            f"{what}; its history is empty",
            hint="Return finite soft tokens for a history without behaviors, such as zeros where a "
            "mean or a maximum over it has no value",
        )
    return ModelError(
        what,
        hint=f"Look at what the plug computes for its {len(example.history)} behaviors; if that is "
        "finite before training, lower learning_rate",
    )
