"""Dropout masks that depend only on the row, against a hand calculation."""

import pytest
import torch

from methods.lora.dropout import draw_mask


def by_hand(key, layer, position, feature):
    def mix(value):
        value ^= value >> 16
        value = value * 0x7FEB352D % 2**32
        value ^= value >> 15
        value = value * 0x846CA68B % 2**32
        return value ^ value >> 16

    value = mix((mix((mix(key) + layer) % 2**32) + position) % 2**32)
    value ^= mix(feature * 0x9E3779B1 % 2**32)
    value = value * 0x7FEB352D % 2**32
    value ^= value >> 15
    value = value * 0x846CA68B % 2**32
    return (value - 2**32 if value >= 2**31 else value) >= round(0.3 * 2**32) - 2**31


def test_masks_match_a_hand_calculation_whatever_the_padding():
    keys = [5, 2**31 + 7]
    signed = torch.tensor([5, 7 - 2**31], dtype=torch.int32)
    found = draw_mask(signed, 3, 6, 10, 0.3)
    wanted = [[[by_hand(k, 3, p, f) for f in range(10)] for p in range(6)] for k in keys]
    assert found.tolist() == wanted
    assert torch.equal(draw_mask(signed[1:], 3, 9, 10, 0.3)[0, :6], found[1])


def test_masks_drop_their_share_independently():
    masks = torch.stack(
        [draw_mask(torch.arange(40, dtype=torch.int32), n, 50, 64, 0.1) for n in range(3)]
    )
    assert masks.float().mean().item() == pytest.approx(0.9, abs=0.003)
    for dims in [(0, 2, 3), (0, 1, 3), (0, 1, 2)]:  # of rows, positions, features
        assert (masks.float().mean(dim=dims) - 0.9).abs().max() < 0.02
    both = (masks[0] & masks[1]).float().mean().item()
    assert both == pytest.approx(0.81, abs=0.005)
    shifted = (masks[:, :, 1:] & masks[:, :, :-1]).float().mean().item()
    assert shifted == pytest.approx(0.81, abs=0.005)
