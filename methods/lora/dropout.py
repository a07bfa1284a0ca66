"""Dropout whose masks depend on the row alone, not on what is beside it or how it is padded."""

import torch

_MIX = (0x7FEB352D, 0x846CA68B - (1 << 32), 0x9E3779B1 - (1 << 32))  # as signed 32-bit numbers


def kept(
    keys: torch.Tensor, layer: int, positions: int, features: int, share: float
) -> torch.Tensor:
    """Which inputs of a layer are kept: a hash of (key, layer, position, feature), no stream.

    torch's own dropout draws a batch's masks in one go, so a user's would change with the batch.

    Args:
        keys: int32 [B], one for each row and each time that it is learned from.
        share: dropped on average, in [0, 1).

    Returns:
        bool [B, positions, features].
    """
    rows = _mixed(_mixed(keys) + layer)
    places = torch.arange(positions, dtype=torch.int32, device=keys.device)
    columns = torch.arange(features, dtype=torch.int32, device=keys.device) * _MIX[2]
    values = _mixed(rows[:, None] + places)[:, :, None] ^ _mixed(columns)
    values *= _MIX[0]
    values ^= (values >> 15) & 0x1FFFF
    values *= _MIX[1]
    return values >= round(share * (1 << 32)) - (1 << 31)


def _mixed(values: torch.Tensor) -> torch.Tensor:
    """A 32-bit integer hash (Wellons' "lowbias32"); int32 products wrap."""
    values = values ^ ((values >> 16) & 0xFFFF)
    values = values * _MIX[0]
    values = values ^ ((values >> 15) & 0x1FFFF)
    values = values * _MIX[1]
    return values ^ ((values >> 16) & 0xFFFF)
