"""Many low-rank adapters on one frozen LLM: each row of a batch uses its own."""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers.pytorch_utils import Conv1D

from methods.lora.dropout import draw_mask
from methods.models.checkpoint import Weights
from methods.models.config import LoraConfig
from tasks.common.errors import ConfigError, ModelError
from tasks.common.registry import did_you_mean
from tasks.common.seeds import Seeds

if TYPE_CHECKING:
    from methods.models.language_model import LanguageModel


def target_layers(llm: "LanguageModel", targets: Sequence[str] | None) -> dict[str, nn.Module]:
    """Full name → linear layer to adapt, in the model's order.

    Args:
        targets: ends of the layers' names; "q" also finds "q_proj" where no layer is called "q", so
            that one method fits T5 and Llama. None: peft's own choice for the architecture.

    Raises:
        ConfigError: a target matches no linear layer, or peft has no default.
    """
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as DEFAULTS

    linear = {
        name: layer
        for name, layer in llm.model.named_modules()
        if isinstance(layer, nn.Linear | Conv1D)
    }
    ends = sorted({name.rpartition(".")[2] for name in linear})
    if targets is None:
        kind = llm.model.config.model_type
        if kind not in DEFAULTS:
            raise ConfigError(
                f"peft has no default LoRA targets for {kind!r}",
                hint=f"Set `lora.targets`; the linear layers are: {', '.join(ends)}",
            )
        targets = DEFAULTS[kind]
    targets = [
        target if target in ends or f"{target}_proj" not in ends else f"{target}_proj"
        for target in targets
    ]
    for target in targets:
        if not any(_matches(name, target) for name in linear):
            raise ConfigError(
                f"LoRA target {target!r} is not a linear layer of {llm.name}",
                hint=did_you_mean(target, ends),
            )
    return {
        name: layer
        for name, layer in linear.items()
        if any(_matches(name, target) for target in targets)
    }


def _matches(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def sizes(layer: Any) -> tuple[int, int]:
    """(inputs, outputs) of a linear layer, whose weight may be packed (4 bits)."""
    if isinstance(layer, Conv1D):
        inputs, outputs = layer.weight.shape
        return inputs, outputs
    return layer.in_features, layer.out_features


class AdapterStack(nn.Module):
    """U adapters: within `attached`, row b of a batch computes y = Wx + (alpha/r)·B_u(A_u x).

    `use` sets the adapter u of each row b. Weights are at least float32, whatever the LLM's dtype.
    A new stack is zero and changes nothing; `draw` and `put` fill it. It holds none of the LLM's
    weights.

    Attributes:
        down: A of each adapted layer, [U, r, inputs].
        up: B of each adapted layer, [U, outputs, r].
    """

    def __init__(self, llm: "LanguageModel", lora: LoraConfig, count: int = 1) -> None:
        super().__init__()
        self.lora, self.count, self.llm_name = lora, count, llm.name
        self._layers = target_layers(llm, lora.targets)  # a plain dict registers no submodules
        dtype = torch.promote_types(llm.dtype, torch.float32)
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for layer in self._layers.values():
            inputs, outputs = sizes(layer)
            device: Any = layer.weight.device
            down = torch.zeros(count, lora.rank, inputs, dtype=dtype, device=device)
            up = torch.zeros(count, outputs, lora.rank, dtype=dtype, device=device)
            self.down.append(nn.Parameter(down))
            self.up.append(nn.Parameter(up))
        self._rows: torch.Tensor | None = None
        self._keys: torch.Tensor | None = None
        self._placed: dict[tuple[bool, torch.device, int], torch.Tensor] = {}

    @property
    def parameters_each(self) -> int:
        """Number of weights of one adapter."""
        return sum(weight.numel() for weight in self.parameters()) // self.count

    @torch.no_grad()
    def draw(self, adapter: int, seeds: Seeds) -> None:
        """Initialize one adapter as peft does: A Kaiming-uniform (a = √5), B zero."""
        random = torch.Generator().manual_seed(seeds.seed("initial weights"))
        for down, up in zip(self.down, self.up, strict=True):
            new = torch.empty(down.shape[1:], dtype=down.dtype)
            nn.init.kaiming_uniform_(new, a=math.sqrt(5), generator=random)
            down[adapter] = new.to(down.device)
            up[adapter] = 0

    def weights(self, adapter: int) -> Weights:
        """One adapter's weights under peft's names, on the CPU."""
        found = {}
        for name, down, up in zip(self._layers, self.down, self.up, strict=True):
            found[f"{name}.lora_A.weight"] = down[adapter].detach().cpu().clone()
            found[f"{name}.lora_B.weight"] = up[adapter].detach().cpu().clone()
        return found

    @torch.no_grad()
    def put(self, adapter: int, weights: Weights) -> None:
        """Overwrite one adapter. Raises ModelError where names or shapes differ."""
        own = self.weights(adapter)
        wrong = [n for n in own.keys() | weights.keys() if _shape(own, n) != _shape(weights, n)]
        if wrong:
            name = min(wrong)
            raise ModelError(
                f"the adapter doesn't fit {self.llm_name}: {name} is {_shape(weights, name)}, "
                f"expected {_shape(own, name)}",
                hint="Give an adapter of this LLM, rank and targets",
            )
        for name, down, up in zip(self._layers, self.down, self.up, strict=True):
            down[adapter] = weights[f"{name}.lora_A.weight"].to(down)
            up[adapter] = weights[f"{name}.lora_B.weight"].to(up)

    def use(self, adapters: Sequence[int], dropout_keys: Sequence[int] = ()) -> None:
        """Set the adapter of each row of the next batches.

        Args:
            adapters: [B] indices into the stack.
            dropout_keys: [B] in [0, 2**32), from which dropout masks are drawn; needed in training
                mode with dropout.
        """
        self._rows = torch.tensor(list(adapters))
        signed = [key - (1 << 32) if key >= 1 << 31 else key for key in dropout_keys]
        self._keys = torch.tensor(signed, dtype=torch.int32)
        self._placed = {}

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Within, the LLM's forward passes apply the adapters."""
        with ExitStack() as hooks:
            for number, layer in enumerate(self._layers.values()):
                handle = layer.register_forward_hook(partial(self._add_update, number))
                hooks.callback(handle.remove)
            yield

    @contextmanager
    def following(self, llm: "LanguageModel", adapters: Sequence[int]) -> Iterator[None]:
        """Within, batches of the LLM's N prompts use the prompts' `adapters` [N]."""
        before = llm.before_batch
        llm.before_batch = lambda rows: self.use([adapters[row] for row in rows])
        try:
            yield
        finally:
            llm.before_batch = before

    def _add_update(
        self, number: int, layer: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor
    ) -> torch.Tensor:
        """The layer's `output` plus the low-rank update: [B, T, outputs]."""
        down, up = self.down[number], self.up[number]
        x = inputs[0].to(down.dtype)
        if self.training and self.lora.dropout:
            assert self._keys is not None  # noqa: S101  training calls `use` before each batch
            keys = self._expand_to_rows(self._keys, x, layer)
            mask = draw_mask(keys, number, x.shape[1], x.shape[2], self.lora.dropout)
            x = x * mask / (1 - self.lora.dropout)
        scale = self.lora.alpha / self.lora.rank
        if self.count == 1:
            update = F.linear(F.linear(x, down[0]), up[0])
            return (output + scale * update).to(output.dtype)
        assert self._rows is not None  # noqa: S101  as above
        rows = self._expand_to_rows(self._rows, x, layer)
        down, up = down.index_select(0, rows), up.index_select(0, rows)
        summed = torch.baddbmm(output.to(x.dtype), torch.bmm(x, down.mT), up.mT, alpha=scale)
        return summed.to(output.dtype)

    def _expand_to_rows(
        self, values: torch.Tensor, x: torch.Tensor, layer: nn.Module
    ) -> torch.Tensor:
        """`values` [B] repeated for each row of x, where a prompt's beams are adjacent."""
        beams, left = divmod(len(x), len(values))
        if x.dim() != 3 or left:
            raise ModelError(
                f"{type(layer).__name__} receives {tuple(x.shape)} for {len(values)} rows, which "
                "can't be assigned to adapters",
                file=self.llm_name,
                hint="Choose `lora.targets` whose inputs are [rows, tokens, features]",
            )
        # Copied once for all layers, because a GPU waits for each copy from the CPU.
        place = values is self._keys, x.device, beams
        if place not in self._placed:
            self._placed[place] = values.to(x.device).repeat_interleave(beams)
        return self._placed[place]


def _shape(weights: Weights, name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None
