"""Adapters trained together equal those trained alone, by this loop and by `train_module`.

Tolerance: 1e-9 in float64 and 2e-4 in float32, for weights of about 1 (lr 1e-2, ≤ 9 steps).
"""

import pytest
import torch

from methods.lora.layers import AdapterStack
from methods.lora.training import make_dropout_key
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


def train_alone(model, user, shape, config, folder):
    """One user alone: torch's AdamW, transformers' schedule, accelerate's clipping."""
    stack = AdapterStack(model, shape)
    stack.draw(0, user.seeds)

    def nll(rows, epoch):
        stack.use([0] * len(rows), [make_dropout_key(user.seeds, epoch, row) for row in rows])
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
def test_joint_training_equals_train_module_for_each_user(kind, tmp_path):
    model, shape, config = exact(kind), lora(kind), training(evaluations=50)
    who = users(model)
    found = together(model, who, shape, config, tmp_path)
    steps = [len(one.curve) for one in found]
    assert steps == [6, 3, 9, 3]  # ceil(size / 4) · 3 epochs: the users stop at different times
    for user, one in zip(who, found, strict=True):
        weights, curve = train_alone(model, user, shape, config, tmp_path / user.key)
        close(one.weights, weights, 1e-9)
        assert list(one.curve) == pytest.approx(curve, abs=1e-9)
        assert any(weight.abs().max() > 1e-3 for n, weight in weights.items() if "lora_B" in n)


def test_joint_training_in_float32_stays_within_the_tolerance(tmp_path):
    model, shape, config = llm("t5", device="cpu"), lora("t5"), training()
    who = users(model)
    found = together(model, who, shape, config, tmp_path)
    for user, one in zip(who, found, strict=True):
        (alone,) = together(model, [user], shape, config, tmp_path)
        close(one.weights, alone.weights, 2e-4)
        assert one.curve == pytest.approx(alone.curve, abs=2e-4)


def test_batch_size_and_order_of_users_change_no_weights(tmp_path):
    model, shape = exact("t5"), lora("t5")
    who = users(model)
    found = together(model, who, shape, training(micro_batch_size=2), tmp_path)
    turned = together(model, who[::-1], shape, training(micro_batch_size=64), tmp_path)
    for one, other in zip(found, turned[::-1], strict=True):
        close(one.weights, other.weights, 1e-9)


def test_gradient_checkpointing_changes_no_weights(tmp_path):
    model, shape = exact("llama"), lora("llama")
    who = users(model)
    found = together(model, who, shape, training(gradient_checkpointing=True), tmp_path)
    plain = together(model, who, shape, training(), tmp_path)
    for one, other in zip(found, plain, strict=True):
        close(one.weights, other.weights, 1e-12)


def test_training_leaves_the_llm_unchanged(tmp_path):
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
def test_a_killed_training_resumes_exactly(at, tmp_path):
    model, shape = exact("t5"), lora("t5")
    who, config = users(model), training(checkpoint_minutes=1e-9)
    wanted = together(model, who, shape, config, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        together(model, who, shape, config, tmp_path / "cut", Dies(at))
    started = Dies(100)
    found = together(model, who, shape, config, tmp_path / "cut", started)
    assert started.left == 100 - 1 - (9 - (at - 1))  # one `advance` reports the earlier steps
    for one, other in zip(found, wanted, strict=True):
        assert one.curve == other.curve
        close(one.weights, other.weights, 0)


def test_a_loss_that_is_not_finite_names_the_user(tmp_path):
    model = llm("t5", device="cpu")
    with pytest.raises(ModelError, match=r"user \d.*not finite at step") as raised:
        together(model, users(model), lora("t5"), training(learning_rate=1e30), tmp_path)
    assert "Lower learning_rate" in str(raised.value)
