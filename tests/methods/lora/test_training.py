"""Adapters trained together against each trained alone, by this loop and by the house's own.

Stated tolerance: float64 1e-9, float32 2e-4, relative to weights of about 1 (lr 1e-2, ≤ 9 steps).
"""

import pytest
import torch

from methods.lora.dropout import kept
from methods.lora.layers import AdapterStack
from methods.lora.optimizer import PerUserAdamW
from methods.lora.training import dropout_key
from methods.models.training import TrainingData, train_module
from tasks.common.errors import ModelError
from tasks.common.progress import Progress
from tests.methods.lora.builders import BUDGET, exact, lora, together, training, users
from tests.methods.models.builders import KINDS, llm


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def close(found, wanted, atol):
    assert found.keys() == wanted.keys()
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=atol)


def by_the_house_loop(model, user, shape, config, folder):
    """One user alone: torch's AdamW, transformers' schedule, accelerate's clipping."""
    stack = AdapterStack(model, shape)
    stack.draw(0, user.seeds)

    def nll(rows, epoch):
        stack.use([0] * len(rows), [dropout_key(user.seeds, epoch, row) for row in rows])
        return model.loss(
            [user.prompts[row] for row in rows], [user.responses[row] for row in rows], **BUDGET
        )

    data = TrainingData([str(row) for row in range(len(user.prompts))], user.lengths, nll)
    with stack.attached():
        report = train_module(
            stack, data, config, seeds=user.seeds, identity="alone", checkpoint=folder,
            progress=Progress(),
        )  # fmt: skip
    return stack.weights(0), [point["loss"] for point in report.curve]


@pytest.mark.parametrize("kind", KINDS)
def test_together_is_each_alone_by_the_house_loop(kind, tmp_path):
    model, shape, config = exact(kind), lora(kind), training(evaluations=50)
    who = users(model)
    found = together(model, who, shape, config, tmp_path)
    steps = [len(one.curve) for one in found]
    assert steps == [6, 3, 9, 3]  # ceil(size / 4) · 3 epochs: the users stop at different times
    for user, one in zip(who, found, strict=True):
        weights, curve = by_the_house_loop(model, user, shape, config, tmp_path / user.key)
        close(one.weights, weights, 1e-9)
        assert list(one.curve) == pytest.approx(curve, abs=1e-9)
        assert any(weight.abs().max() > 1e-3 for n, weight in weights.items() if "lora_B" in n)


def test_in_float32_within_the_tolerance(tmp_path):
    model, shape, config = llm("t5", device="cpu"), lora("t5"), training()
    who = users(model)
    found = together(model, who, shape, config, tmp_path)
    for user, one in zip(who, found, strict=True):
        (alone,) = together(model, [user], shape, config, tmp_path)
        close(one.weights, alone.weights, 2e-4)
        assert one.curve == pytest.approx(alone.curve, abs=2e-4)


def test_size_of_forward_passes_and_order_of_users_change_nothing(tmp_path):
    model, shape = exact("t5"), lora("t5")
    who = users(model)
    found = together(model, who, shape, training(micro_batch_size=2), tmp_path)
    turned = together(model, who[::-1], shape, training(micro_batch_size=64), tmp_path)
    for one, other in zip(found, turned[::-1], strict=True):
        close(one.weights, other.weights, 1e-9)


def test_with_gradient_checkpointing_the_same(tmp_path):
    model, shape = exact("llama"), lora("llama")
    who = users(model)
    found = together(model, who, shape, training(gradient_checkpointing=True), tmp_path)
    plain = together(model, who, shape, training(), tmp_path)
    for one, other in zip(found, plain, strict=True):
        close(one.weights, other.weights, 1e-12)


def test_the_llm_is_left_as_it_was(tmp_path):
    model = exact("t5")
    before = {name: weight.clone() for name, weight in model.model.state_dict().items()}
    together(model, users(model), lora("t5"), training(), tmp_path)
    assert model.model.state_dict().keys() == before.keys()
    assert all(torch.equal(w, before[n]) for n, w in model.model.state_dict().items())
    assert not any(layer._forward_hooks for layer in model.model.modules())
    assert all(weight.grad is None for weight in model.model.parameters())


class Dies(Progress):
    def __init__(self, at):
        self.left = at

    def advance(self, steps=1):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [3, 6, 9])
def test_killed_it_goes_on_where_it_was(at, tmp_path):
    model, shape = exact("t5"), lora("t5")
    who, config = users(model), training(checkpoint_minutes=1e-9)
    wanted = together(model, who, shape, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        together(model, who, shape, config, tmp_path / "cut", Dies(at))
    started = Dies(100)
    found = together(model, who, shape, config, tmp_path / "cut", started)
    assert started.left == 100 - 1 - (9 - (at - 1))  # one `advance` tells of the steps before
    for one, other in zip(found, wanted, strict=True):
        assert one.curve == other.curve
        close(one.weights, other.weights, 0)


def test_a_loss_that_is_not_finite_names_the_user(tmp_path):
    model = llm("t5", device="cpu")
    with pytest.raises(ModelError, match=r"user \d.*not finite at step") as raised:
        together(model, users(model), lora("t5"), training(learning_rate=1e30), tmp_path)
    assert "Lower learning_rate" in str(raised.value)


def test_the_optimizer_by_hand():
    """Two users in float64: one clipped, one not; the second stops after one step of the two."""
    weight = torch.nn.Parameter(torch.tensor([[[1.0]], [[2.0]]], dtype=torch.float64))
    config = training(
        learning_rate=0.1, weight_decay=0.5, warmup_share=0.0, max_grad_norm=1.0
    )  # fmt: skip
    optimizer = PerUserAdamW([weight], [2, 1], config)
    weight.grad = torch.tensor([[[4.0]], [[0.5]]], dtype=torch.float64)
    assert optimizer.rates() == [0.1, 0.1]
    assert optimizer.norms().tolist() == [4.0, 0.5]
    optimizer.step()
    # First step of AdamW: sign(g) · lr beside the decay of 5%.
    assert weight.flatten().tolist() == pytest.approx([0.95 - 0.1, 1.9 - 0.1], abs=1e-6)
    assert optimizer.first[0].flatten().tolist() == pytest.approx([0.1, 0.05], abs=1e-6)
    stopped = weight[1].item()
    assert (optimizer.active, optimizer.rates()) == (1, [0.05])
    weight.grad = torch.tensor([[[1.0]], [[9.0]]], dtype=torch.float64)
    optimizer.step()
    assert weight[1].item() == stopped
    assert weight[0].item() == pytest.approx(0.85 * (1 - 0.025) - 0.05, abs=1e-6)
    assert optimizer.active == 0


def test_the_optimizer_refuses_users_in_another_order():
    weight = torch.nn.Parameter(torch.zeros(2, 1, 1))
    with pytest.raises(ValueError, match="falling"):
        PerUserAdamW([weight], [1, 2], training())


def by_hand(key, layer, position, feature):
    def mixed(value):
        value ^= value >> 16
        value = value * 0x7FEB352D % 2**32
        value ^= value >> 15
        value = value * 0x846CA68B % 2**32
        return value ^ value >> 16

    value = mixed((mixed((mixed(key) + layer) % 2**32) + position) % 2**32)
    value ^= mixed(feature * 0x9E3779B1 % 2**32)
    value = value * 0x7FEB352D % 2**32
    value ^= value >> 15
    value = value * 0x846CA68B % 2**32
    return (value - 2**32 if value >= 2**31 else value) >= round(0.3 * 2**32) - 2**31


def test_dropout_masks_by_hand_and_whatever_the_padding():
    keys = [5, 2**31 + 7]
    signed = torch.tensor([5, 7 - 2**31], dtype=torch.int32)
    found = kept(signed, 3, 6, 10, 0.3)
    wanted = [[[by_hand(k, 3, p, f) for f in range(10)] for p in range(6)] for k in keys]
    assert found.tolist() == wanted
    assert torch.equal(kept(signed[1:], 3, 9, 10, 0.3)[0, :6], found[1])


def test_dropout_masks_drop_their_share_and_are_unlike_each_other():
    masks = torch.stack(
        [kept(torch.arange(40, dtype=torch.int32), n, 50, 64, 0.1) for n in range(3)]
    )
    assert masks.float().mean().item() == pytest.approx(0.9, abs=0.003)
    for dims in [(0, 2, 3), (0, 1, 3), (0, 1, 2)]:  # of rows, positions, features
        assert (masks.float().mean(dim=dims) - 0.9).abs().max() < 0.02
    both = (masks[0] & masks[1]).float().mean().item()
    assert both == pytest.approx(0.81, abs=0.005)
    shifted = (masks[:, :, 1:] & masks[:, :, :-1]).float().mean().item()
    assert shifted == pytest.approx(0.81, abs=0.005)
