"""Less memory for a loss: activations computed again in the backward pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer


@contextmanager
def checkpoint_activations(model: Any) -> Iterator[None]:
    """Within, the model's layers keep no activations and recompute them in the backward pass.

    Unlike Hugging Face's own switch, it works in eval mode, in which a frozen LLM stays.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, GradientCheckpointingLayer)]
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
