"""AdamW for many users at once, against a hand calculation."""

import pytest
import torch

from methods.lora.optimizer import PerUserAdamW, place_once
from tests.methods.lora.builders import training


def test_steps_match_a_hand_calculation():
    """Two users in float64: one is clipped, one is not; the second takes one step of the two."""
    weight = torch.nn.Parameter(torch.tensor([[[1.0]], [[2.0]]], dtype=torch.float64))
    config = training(
        learning_rate=0.1, weight_decay=0.5, warmup_share=0.0, max_grad_norm=1.0
    )  # fmt: skip
    optimizer = PerUserAdamW([weight], [2, 1], config)
    weight.grad = torch.tensor([[[4.0]], [[0.5]]], dtype=torch.float64)
    assert optimizer.rates() == [0.1, 0.1]
    assert optimizer.norms().tolist() == [4.0, 0.5]
    optimizer.step()
    # First step of AdamW: sign(g) · lr after a decay of 5%.
    assert weight.flatten().tolist() == pytest.approx([0.95 - 0.1, 1.9 - 0.1], abs=1e-6)
    assert optimizer.first[0].flatten().tolist() == pytest.approx([0.1, 0.05], abs=1e-6)
    stopped = weight[1].item()
    assert (optimizer.active, optimizer.rates()) == (1, [0.05])
    weight.grad = torch.tensor([[[1.0]], [[9.0]]], dtype=torch.float64)
    optimizer.step()
    assert weight[1].item() == stopped
    assert weight[0].item() == pytest.approx(0.85 * (1 - 0.025) - 0.05, abs=1e-6)
    assert optimizer.active == 0


def test_users_must_be_sorted_by_their_steps():
    weight = torch.nn.Parameter(torch.zeros(2, 1, 1))
    with pytest.raises(ValueError, match="descending"):
        PerUserAdamW([weight], [1, 2], training())


def test_values_are_copied_once_for_all_weights_of_a_device_and_dtype():
    place = place_once(torch.tensor([0.5, 2.0], dtype=torch.float64))
    first, second = (torch.zeros(2, 3, size) for size in (1, 4))
    assert place(first).tolist() == [[[0.5]], [[2.0]]]
    assert place(first) is place(second)
    elsewhere = place(torch.zeros(2, 3, 1, device="meta", dtype=torch.bfloat16))
    assert (elsewhere.device.type, elsewhere.dtype) == ("meta", torch.bfloat16)
