import pytest
import torch
from torch import nn

from methods.models.config import TrainingConfig
from methods.models.training import TrainingData, bucket_by_length, train_module
from tasks.common.errors import ConfigError, ModelError
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tests.methods.models.training_net import (
    CONFIG,
    SEEDS,
    Net,
    assert_same,
    data_for,
    fit,
    weights,
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def test_a_submodule_may_have_a_learning_rate_of_its_own(tmp_path):
    """At a rate too small to tell, it stays as it is while the others learn."""
    rates = {"layers.0": 1e-30, "no_such_part": 1.0}
    net = Net()
    before = weights(net)
    train_module(
        net, data_for(net), CONFIG, seeds=SEEDS, identity="llm", checkpoint=tmp_path / "own",
        progress=Progress(), learning_rates=rates,
    )  # fmt: skip
    changed = {name for name, value in weights(net).items() if not torch.equal(value, before[name])}
    assert changed
    assert not any(name.startswith("layers.0.") for name in changed)
    fit(net := Net(), tmp_path / "same")
    assert any(
        not torch.equal(value, before[name])
        for name, value in weights(net).items()
        if name.startswith("layers.0.")
    )


def test_learns_and_reports(tmp_path):
    net = Net()
    report = fit(net, tmp_path, CONFIG.model_copy(update={"epochs": 30}), dev=data_for(net))
    assert report.steps == 30 * 4
    assert report.examples == 30 * 30
    assert [point["step"] for point in report.curve] == list(range(12, 121, 12))
    assert report.curve[0]["loss"] > report.curve[-1]["loss"]
    assert report.curve[-1]["dev_loss"] < 0.4
    assert report.curve[-1]["learning_rate"] == 0
    assert not net.training


def test_one_step_is_the_gradient_of_the_mean_over_tokens_of_the_whole_batch(tmp_path):
    """Against AdamW by hand: 30 rows in one step, the gradient clipped at norm 0.01."""
    config = TrainingConfig(
        learning_rate=0.1, batch_size=30, max_steps=1, warmup_share=0, max_grad_norm=0.01,
        weight_decay=0.5,
    )  # fmt: skip
    net, hand = Net(), Net()
    nll, tokens = data_for(hand).nll(range(30), 0)
    (nll.sum() / tokens.sum()).backward()
    trained = [w for w in hand.parameters() if w.requires_grad]
    norm = torch.stack([w.grad.norm() for w in trained]).norm()
    assert norm > 0.01
    with torch.no_grad():
        for w in trained:
            gradient = w.grad * (0.01 / (norm + 1e-6))
            w.mul_(1 - 0.1 * 0.5).sub_(0.1 * gradient / (gradient.abs() + 1e-8))
    report = fit(net, tmp_path, config)
    torch.testing.assert_close(net.state_dict(), hand.state_dict(), rtol=1e-3, atol=1e-5)
    assert report.curve[0]["loss"] == pytest.approx((nll.sum() / tokens.sum()).item(), rel=1e-5)


@pytest.mark.parametrize("micro", [1, 2, None])
@pytest.mark.parametrize(("most", "seen"), [(100.0, 1.5), (1.0, 1.0)])
def test_a_steps_gradient_is_that_of_a_token(tmp_path, monkeypatch, micro, most, seen):
    """By hand: d/dw (4w + 8w) over 2 + 6 tokens is 12 / 8 = 1.5; only then is it clipped.

    AdamW hardly depends on the gradient's scale, so its weights alone would not show the divisor.
    """
    module = nn.Linear(1, 1, bias=False)
    slopes, tokens = torch.tensor([4.0, 8.0]), torch.tensor([2, 6])
    data = TrainingData(
        ["a", "b"], [2, 6], lambda rows, _: (slopes[rows] * module.weight.squeeze(), tokens[rows])
    )
    gradients = []
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *_: gradients.append(module.weight.grad.item())
    )
    config = TrainingConfig(batch_size=2, epochs=1, max_grad_norm=most, micro_batch_size=micro)
    report = fit(module, tmp_path, config, data=data)
    assert gradients == pytest.approx([seen], rel=1e-5)
    assert report.curve[0]["loss"] == pytest.approx(1.5 * module.weight.item())


@pytest.mark.parametrize("micro", [1, 3, 8])
def test_micro_batches_change_nothing(tmp_path, micro):
    whole, parts = Net().double(), Net().double()

    def double(net):
        data = data_for(net)
        return TrainingData(data.ids, data.lengths, lambda rows, epoch: in_double(net, rows, epoch))

    def in_double(net, rows, epoch):
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return data_for(net).nll(rows, epoch)
        finally:
            torch.set_default_dtype(default)

    fit(whole, tmp_path / "a", data=double(whole))
    fit(
        parts, tmp_path / "b", CONFIG.model_copy(update={"micro_batch_size": micro}),
        data=double(parts),
    )  # fmt: skip
    torch.testing.assert_close(whole.state_dict(), parts.state_dict(), rtol=1e-9, atol=1e-9)


def test_the_seed_decides_and_nothing_else(tmp_path):
    first, second, other = Net(0.3), Net(0.3), Net(0.3)
    fit(first, tmp_path / "a")
    torch.rand(3)
    state = torch.get_rng_state()
    fit(second, tmp_path / "b")
    assert torch.equal(torch.get_rng_state(), state)
    fit(other, tmp_path / "c", seeds=Seeds.root("other"))
    assert_same(first.state_dict(), second.state_dict())
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)


def test_frozen_parameters_stay(tmp_path):
    net = Net()
    before = weights(net)
    fit(net, tmp_path)
    assert_same(before, {**before, "frozen.weight": net.frozen.weight})
    assert not torch.equal(before["layers.0.weight"], net.layers[0].weight)


def test_a_loss_that_is_not_finite_names_step_and_ids(tmp_path):
    net = Net()
    config = CONFIG.model_copy(update={"micro_batch_size": 2})
    order = bucket_by_length(data_for(net).lengths, 8, SEEDS.seed("order", 0))
    with pytest.raises(
        ModelError, match=rf"loss is not finite at step 3, .* ids .*q{order[2][0]}\b"
    ):
        fit(net, tmp_path, config, data=data_for(net, poison=order[2][0]))


def test_a_gradient_that_is_not_finite_names_step_and_ids(tmp_path):
    """√0 is finite and its slope is not; the second step is the first that has it."""
    module = nn.Linear(1, 1, bias=False)
    steps = []

    def nll(rows, _epoch):
        steps.append(rows)
        factor = torch.sqrt(module.weight.squeeze() * 0) if len(steps) == 2 else module.weight.sum()
        return factor * torch.ones(len(rows)), torch.ones(len(rows))

    config = TrainingConfig(batch_size=1, epochs=1)
    with pytest.raises(ModelError, match=r"gradient is not finite at step 2, .* ids [ab]\b"):
        fit(module, tmp_path, config, data=TrainingData(["a", "b"], [1, 1], nll))


def test_a_dev_loss_is_that_of_the_first_epochs_view(tmp_path):
    """Data that differ by epoch, as augmented histories do, are the same at every evaluation."""
    net, seen = Net(), []
    inner = data_for(net)

    def nll(rows, epoch):
        seen.append(epoch)
        return inner.nll(rows, epoch)

    fit(net, tmp_path, dev=TrainingData(inner.ids, inner.lengths, nll))
    assert set(seen) == {0}


@pytest.mark.parametrize(("evaluations", "points"), [(5, 5), (7, 7), (10, 10), (50, 12), (1, 1)])
def test_the_curve_has_as_many_points_as_asked_for(tmp_path, evaluations, points):
    config = CONFIG.model_copy(update={"evaluations": evaluations})
    curve = fit(Net(), tmp_path, config).curve
    assert len(curve) == points
    assert curve[-1]["step"] == 12


def test_a_dev_loss_that_is_not_finite_names_step_and_ids(tmp_path):
    net = Net()
    config = CONFIG.model_copy(update={"micro_batch_size": 2})
    with pytest.raises(ModelError, match=r"dev loss is not finite at step 2, .* ids .*q3\b"):
        fit(net, tmp_path, config, dev=data_for(net, poison=3))


def test_every_row_once_an_epoch_in_batches_of_like_length():
    lengths = [(7 * row) % 90 for row in range(500)]
    batches = bucket_by_length(lengths, 16, 5)
    assert sorted(row for batch in batches for row in batch) == list(range(500))
    assert all(len(batch) == 16 for batch in batches if batch != min(batches, key=len))
    spread = [max(lengths[r] for r in b) - min(lengths[r] for r in b) for b in batches]
    assert sum(spread) / len(spread) < 12
    assert bucket_by_length(lengths, 16, 5) == batches
    assert bucket_by_length(lengths, 16, 6) != batches


def test_stops_early_only_when_asked_and_takes_the_best(tmp_path):
    def dev(losses, net):
        given = iter(losses)
        seen = []

        def nll(rows, _epoch):
            seen.append(weights(net))
            return torch.tensor([next(given)]), torch.tensor([1])

        return TrainingData(["d"], [1], nll), seen

    losses = [3.0, 1.0, 2.0, 2.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    config = CONFIG.model_copy(update={"evaluations": 12})
    patient = config.model_copy(update={"early_stop_patience": 2})
    net = Net()
    data, seen = dev(losses, net)
    report = fit(net, tmp_path / "a", patient, dev=data)
    assert report.steps == 4
    assert_same(seen[1], net.state_dict())
    again = Net()
    fit(again, tmp_path / "a", patient, dev=dev(losses, again)[0])
    assert_same(seen[1], again.state_dict())
    whole = Net()
    assert fit(whole, tmp_path / "b", config, dev=dev(losses, whole)[0]).steps == 12
    with pytest.raises(ConfigError, match="needs a dev set"):
        fit(Net(), tmp_path / "c", patient)


def test_running_out_of_memory_is_an_error_that_names_the_micro_batch_size(tmp_path):
    inner = data_for(Net())

    def nll(rows, epoch):
        if len(rows) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return inner.nll(rows, epoch)

    tight = TrainingData(inner.ids, inner.lengths, nll)
    fit(Net(), tmp_path / "a", CONFIG.model_copy(update={"micro_batch_size": 2}), data=tight)
    for size in (8, None):
        config = CONFIG.model_copy(update={"micro_batch_size": size})
        with pytest.raises(ModelError, match=r"a batch of 8 does not fit.*micro_batch_size"):
            fit(Net(), tmp_path / str(size), config, data=tight)


def test_the_micro_batch_size_is_in_the_key_because_it_decides_weights_under_dropout(tmp_path):
    nets = {size: Net(dropout=0.3) for size in (1, 3, 8, None)}
    for size, net in nets.items():
        fit(net, tmp_path / str(size), CONFIG.model_copy(update={"micro_batch_size": size}))
    weights = {size: net.layers[0].weight for size, net in nets.items()}
    keys = {
        size: CONFIG.model_copy(update={"micro_batch_size": size}).key_options() for size in nets
    }
    assert (weights[1] - weights[3]).abs().max() > 1e-4
    assert keys[1] != keys[3]
    assert torch.equal(weights[8], weights[None])  # None is the whole batch, whatever the memory
    assert keys[8] == keys[None] == CONFIG.key_options()


def test_bf16_keeps_float32_weights(tmp_path):
    net = Net()
    config = CONFIG.model_copy(update={"bf16": True, "epochs": 10})
    report = fit(net, tmp_path, config)
    assert net.layers[0].weight.dtype == torch.float32
    assert report.curve[-1]["loss"] < report.curve[0]["loss"]
