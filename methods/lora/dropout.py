"""Dropout whose masks depend only on the row, not on the rest of the batch or on padding."""

import torch

_MIX = (0x7FEB352D, 0x846CA68B - (1 << 32), 0x9E3779B1 - (1 << 32))  # as signed 32-bit numbers


def draw_mask(
    keys: torch.Tensor, layer: int, positions: int, features: int, share: float
) -> torch.Tensor:
    """Which inputs of a layer are kept, by a hash of (key, layer, position, feature).

    torch's own dropout draws the masks of a whole batch from one random stream, so a user's masks
    would depend on the other rows.

    Args:
        keys: int32 [B], one for each row and each of its uses in training.
        share: dropped on average, in [0, 1).

    Returns:
        bool [B, positions, features], True where an input is kept.
    """
    rows = _mix(_mix(keys) + layer)
    places = torch.arange(positions, dtype=torch.int32, device=keys.device)
    columns = torch.arange(features, dtype=torch.int32, device=keys.device) * _MIX[2]
    values = _mix(rows[:, None] + places)[:, :, None] ^ _mix(columns)
    values *= _MIX[0]
    values ^= (values >> 15) & 0x1FFFF
    values *= _MIX[1]
    return values >= round(share * (1 << 32)) - (1 << 31)


def _mix(values: torch.Tensor) -> torch.Tensor:
    """A 32-bit integer hash (Wellons' "lowbias32"); int32 products wrap."""
    values = values ^ ((values >> 16) & 0xFFFF)
    values = values * _MIX[0]
    values = values ^ ((values >> 15) & 0x1FFFF)
    values = values * _MIX[1]
    return values ^ ((values >> 16) & 0xFFFF)
