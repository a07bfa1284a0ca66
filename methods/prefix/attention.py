"""Attention over a history: the softmax and what can sharpen, date or restrict it."""

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator
from torch import nn

from methods.prefix.histories import Batch

ORDER, TIME = "order", "time"


def check_distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of an option. Raises ValueError if one is named twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"{', '.join(values)} names one twice")
    return values


RecencyTerms = Annotated[tuple[Literal["order", "time"], ...], AfterValidator(check_distinct)]
"""An option: the terms of a `Recency`."""


class Temperature(nn.Module):
    """logits / τ with a learned τ = e^t, which is always positive and starts at `start`."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(start)))

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """[B, N] → [B, N]."""
        return logits * torch.exp(-self.log)


class Recency(nn.Module):
    """λ_order·log(1 + newer) + λ_time·log(1 + days), to be subtracted from logits.

    "newer" is the number of newer behaviours, by date and for undated histories by file order;
    "days" is the time to the newest behaviour, 0 for all behaviours of a history without dates, so
    that λ_time has no effect there. λ are learned and of either sign (TAP-PER, arXiv 2606.04547).

    Args:
        terms: "order", "time" or both.
        std: of the normal distribution that the initial λ are drawn from.
    """

    def __init__(self, terms: Iterable[str], std: float = 0.0) -> None:
        super().__init__()
        self.rates = nn.ParameterDict({term: nn.Parameter(torch.zeros(())) for term in terms})
        if std:
            for rate in self.rates.values():
                nn.init.normal_(rate, std=std)

    def forward(self, batch: Batch) -> torch.Tensor:
        """[B, N]."""
        penalty = batch.vectors.new_zeros(batch.mask.shape)
        if ORDER in self.rates:
            assert batch.ages is not None  # noqa: S101  see PrefixMethod.needs_ages
            newer = (batch.ages * batch.mask.sum(1, keepdim=True)).round()
            penalty = penalty + self.rates[ORDER] * torch.log1p(newer)
        if TIME in self.rates:
            assert batch.elapsed is not None  # noqa: S101  see PrefixMethod.needs_elapsed
            penalty = penalty + self.rates[TIME] * batch.elapsed
        return penalty


def softmax_over(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The softmax over what `mask` has of the last dimension, 0 elsewhere: [..., N].

    All 0 where it has nothing.
    """
    logits = logits.masked_fill(~mask, torch.finfo(logits.dtype).min)
    return torch.softmax(logits, dim=-1) * mask


def find_largest(values: torch.Tensor, mask: torch.Tensor, k: int) -> torch.Tensor:
    """Where the k largest values of each row are, of those that `mask` has: bool [B, N].

    Of equal values, the first ones count.
    """
    return (_rank(values.masked_fill(~mask, -math.inf)) < k) & mask


def keep_top(weights: torch.Tensor, p: float) -> torch.Tensor:
    """The fewest largest weights of each row that sum to at least p, rescaled to sum to 1: [B, N].

    All others become 0, as in nucleus sampling (arXiv 1904.09751); a row of zeros stays one.
    """
    ordered, places = weights.sort(dim=1, descending=True, stable=True)
    larger = torch.zeros_like(weights).scatter(1, places, ordered.cumsum(1) - ordered)
    kept = weights * (larger < p)
    return kept / kept.sum(1, keepdim=True).clamp(min=torch.finfo(kept.dtype).tiny)


def _rank(values: torch.Tensor) -> torch.Tensor:
    """The number of larger values in the same row, or equal ones before it: int [B, N]."""
    return values.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
