"""Rows of unequal length as one tensor, soft tokens included."""

from collections.abc import Sequence

import torch

IGNORED = -100  # a label without a loss; torch's default


def pad(
    rows: Sequence[Sequence[int]],
    fill: int,
    *,
    left: bool = False,
    device: torch.device | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows filled up to the longest, and a mask that is 1 at their tokens: both int64 [B, T]."""
    longest = max(len(row) for row in rows)
    fills = [longest - len(row) for row in rows]
    if left:
        values = [[fill] * n + list(row) for n, row in zip(fills, rows, strict=True)]
        mask = [[0] * n + [1] * len(row) for n, row in zip(fills, rows, strict=True)]
    else:
        values = [list(row) + [fill] * n for n, row in zip(fills, rows, strict=True)]
        mask = [[1] * len(row) + [0] * n for n, row in zip(fills, rows, strict=True)]
    return torch.tensor(values, device=device), torch.tensor(mask, device=device)


def after_prefix(
    prefix: torch.Tensor, embedded: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Insert soft tokens directly before each row's first real token.

    Args:
        prefix: [B, P, H].
        embedded: [B, T, H], padded left or right.
        mask: [B, T], 1 where real.

    Returns:
        Embeddings [B, P + T, H] and their mask [B, P + T].
    """
    soft, length = prefix.shape[1], embedded.shape[1]
    first = mask.argmax(1, keepdim=True)  # number of pads on the left: [B, 1]
    position = torch.arange(soft + length, device=mask.device).expand(len(mask), -1)
    # The index into [prefix; embedded] of each output position.
    source = torch.where(
        position < first,
        position + soft,
        torch.where(position < first + soft, position - first, position),
    )
    rows = torch.arange(len(mask), device=mask.device)[:, None]
    joined = torch.cat([prefix, embedded], dim=1)[rows, source]
    real = torch.cat([mask.new_ones(len(mask), soft), mask], dim=1)[rows, source]
    return joined, real
