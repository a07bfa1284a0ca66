"""Logits that aren't finite are an error, not an answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from tasks.common.errors import ModelError

_SHOWN = 60  # characters of a prompt in a message


@contextmanager
def check_logits(
    model: Any, name: str, prompts: Sequence[str], prefix: torch.Tensor | None = None
) -> Iterator[None]:
    """Within, a forward pass raises ModelError unless its last position's logits are finite.

    Args:
        name: of the LLM.
        prompts, prefix: of the batch.
    """

    def check(_module: Any, _inputs: Any, output: Any) -> None:
        if not torch.isfinite(output.logits[:, -1]).all():
            raise not_finite(name, prompts, prefix)

    hook = model.register_forward_hook(check)
    try:
        yield
    finally:
        hook.remove()


def not_finite(name: str, prompts: Sequence[str], prefix: torch.Tensor | None) -> ModelError:
    """The error for a batch whose logits hold NaN or infinity; arguments as in `check_logits`."""
    first = prompts[0] if len(prompts[0]) <= _SHOWN else f"{prompts[0][:_SHOWN]}…"
    batch = f"in a batch of {len(prompts)} prompts, the first of which is {first!r}"
    if prefix is not None and not torch.isfinite(prefix).all():
        return ModelError(
            f"the soft tokens put before its prompts are not finite {batch}",
            file=name,
            hint="Train the plug again, with a lower learning_rate or bf16 = false",
        )
    return ModelError(
        f"logits are not finite {batch}",
        file=name,
        hint='Set dtype = "bfloat16" or "float32". If it has one of them, its weights are damaged: '
        "fetch them again",
    )
