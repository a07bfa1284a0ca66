"""AdamW over stacked adapters, each clipped, scheduled and stepped as if trained alone."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from methods.models.config import TrainingConfig

BETAS, EPSILON = (0.9, 0.999), 1e-8  # torch's defaults


class PerUserAdamW:
    """torch's AdamW with linear decay after warm-up, for parameters [U, ...] of U users.

    User u takes `totals[u]` steps; after that, its weights and moments no longer change.

    Args:
        totals: [U] steps in descending order, so that the users still in training come first.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], totals: Sequence[int], config: TrainingConfig
    ) -> None:
        if list(totals) != sorted(totals, reverse=True):
            raise ValueError("users must be sorted by descending number of steps")
        self.parameters, self.totals, self.config = list(parameters), list(totals), config
        self.taken = 0  # steps
        self.first = [torch.zeros_like(weight) for weight in self.parameters]
        self.second = [torch.zeros_like(weight) for weight in self.parameters]

    @property
    def active(self) -> int:
        """Number of users with steps left, who come first."""
        return sum(total > self.taken for total in self.totals)

    def rates(self) -> list[float]:
        """Learning rate of each active user's next step."""
        return [
            self.config.learning_rate * _factor(self.taken, total, self.config.warmup_share)
            for total in self.totals[: self.active]
        ]

    def norms(self) -> torch.Tensor:
        """L2 norm of each active user's gradient: [active]."""
        parts = [gradient.flatten(1).norm(dim=1) for _, gradient, *_ in self._stacks()]
        return torch.stack([part.to(parts[0].device) for part in parts]).norm(dim=0)

    @torch.no_grad()
    def step(self) -> None:
        """Take one step for every active user."""
        shares = (self.config.max_grad_norm / (self.norms() + 1e-6)).clamp(max=1.0)
        rates = torch.tensor(self.rates(), dtype=torch.float64)
        rate_for, share_for = place_once(rates), place_once(shares)
        stacks = self._stacks()
        self.taken += 1
        corrections = [1 - beta**self.taken for beta in BETAS]
        for weight, gradient, first, second in stacks:
            rate = rate_for(weight)
            clipped = gradient * share_for(weight)
            weight.mul_(1 - rate * self.config.weight_decay)
            first.lerp_(clipped, 1 - BETAS[0])
            second.mul_(BETAS[1]).addcmul_(clipped, clipped, value=1 - BETAS[1])
            divisor = second.sqrt().div_(math.sqrt(corrections[1])).add_(EPSILON)
            weight.sub_(rate / corrections[0] * first / divisor)

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for weight in self.parameters:
            weight.grad = None

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: steps taken and both moments."""
        return {"taken": self.taken, "first": self.first, "second": self.second}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        self.taken = int(state["taken"])
        for own, given in (*zip(self.first, state["first"], strict=True),
                           *zip(self.second, state["second"], strict=True)):  # fmt: skip
            own.copy_(given)

    def _stacks(self) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Weights, gradients and moments of the active users, as views."""
        n = self.active
        return [
            (weight.detach()[:n], weight.grad[:n], first[:n], second[:n])
            for weight, first, second in zip(self.parameters, self.first, self.second, strict=True)
            if weight.grad is not None
        ]


def place_once(values: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of a weight [U, ...]: `values` [U] as [U, 1, 1], on its device and in its dtype.

    They are copied once for all weights of a device, because a GPU waits for each copy.
    """

    @functools.cache
    def place(device: torch.device, dtype: torch.dtype) -> torch.Tensor:
        return values.to(device, dtype).view(-1, 1, 1)

    return lambda weight: place(weight.device, weight.dtype)


def _factor(step: int, total: int, warmup_share: float) -> float:
    """Factor of the learning rate at a step (from 0), as in transformers' linear schedule."""
    warmup = math.ceil(warmup_share * total)
    if step < warmup:
        return step / max(1, warmup)
    return max(0.0, (total - step) / max(1, total - warmup))
