"""Linear layers in int8 on a CPU: weights and activations, each with scales of its own."""

import warnings
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from tasks.common.errors import ModelError

LEVELS = 127
"""Steps of a signed weight to either side."""


class Int8Linear(nn.Module):
    """A frozen linear layer computed in int8, for inference.

    Weights have a scale per output. Activations have one per token: rows are scaled to a largest
    value of 1 and share one fixed grid of 7 bits, so a token's result doesn't depend on the batch
    that it stands in. (torch's own dynamic layer takes one scale from the whole batch.)

    Args:
        weight: [O, I]; bias: [O], or None; `name`: of the LLM, for messages.
    """

    grid: torch.Tensor

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, name: str) -> None:
        super().__init__()
        scales = weight.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
        self.weight = None  # T5 asks whether it is a tensor
        self.bias = bias
        self.name = name
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        with warnings.catch_warnings():  # deprecated, without a replacement inside torch
            warnings.simplefilter("ignore")
            packed = torch.quantize_per_channel(weight, scales.double(), zeros, 0, torch.qint8)
        self.packed: Any = torch.ops.quantized.linear_prepack(packed, None)
        grid = torch.zeros(1, weight.shape[1])
        grid[0, 0], grid[0, -1] = 1.0, -1.0
        self.register_buffer("grid", grid, persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """[..., I] → [..., O]. Raises ModelError where a gradient would have to pass."""
        if torch.is_grad_enabled() and inputs.requires_grad:
            raise ModelError(
                "no gradient passes through an LLM in int8, so nothing can be trained with it",
                file=self.name,
                hint='Set quantize = "none", or run only methods that train nothing with the LLM',
            )
        rows = inputs.reshape(-1, inputs.shape[-1])
        sizes = rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        # The last row spans [-1, 1], so that the grid is the same for every batch.
        scaled = torch.cat([rows / sizes, self.grid])
        found = torch.ops.quantized.linear_dynamic(scaled, self.packed, True)[:-1] * sizes
        if self.bias is not None:
            found = found + self.bias
        return found.view(*inputs.shape[:-1], -1)


def quantize_dynamic(model: Any, *, name: str) -> None:
    """Replace every linear layer of `model` by an `Int8Linear`, in place.

    Raises:
        ModelError: the model isn't float32 on a CPU, has no linear layers, or this torch or
            processor has no int8 layers.
    """
    weight = model.get_input_embeddings().weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        raise ModelError(
            f'quantize = "int8-dynamic" needs a CPU and float32, not {weight.device} '
            f"and {str(weight.dtype).removeprefix('torch.')}",
            file=name,
            hint='Set device = "cpu" and dtype = "float32", or quantize = "none"',
        )
    layers = {
        full: layer
        for full, layer in model.named_modules()
        if isinstance(layer, nn.Linear | Conv1D)
    }
    if not layers:
        raise ModelError(
            "has no linear layers to quantize", file=name, hint='Set quantize = "none"'
        )
    total = count_parameters(model)
    for full, layer in layers.items():
        owner, _, end = full.rpartition(".")
        matrix = layer.weight.detach()
        bias = None if layer.bias is None else layer.bias.detach()
        try:
            made = Int8Linear(matrix.T if isinstance(layer, Conv1D) else matrix, bias, name)
        except (RuntimeError, AttributeError) as error:
            raise ModelError(
                f"int8 layers can't be used here ({str(error).splitlines()[0]})",
                file=name,
                hint='Set quantize = "none"',
            ) from error
        setattr(model.get_submodule(owner), end, made)
    model.parameters_before_int8 = total


def count_parameters(model: Any) -> int:
    """Parameters of a model, those of quantized layers included; shared ones count once."""
    known: int | None = getattr(model, "parameters_before_int8", None)
    return int(model.num_parameters()) if known is None else known
