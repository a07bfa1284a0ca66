"""The training loop: schedule, checkpoints and log."""

import json

import pytest
import torch

from methods.embedded.steps import Schedule, train
from tasks.common.errors import ModelError, StorageError

SCHEDULE = Schedule(steps=10, learning_rate=0.1, measure_every=3)


def fit(folder, loss_of=None, schedule=SCHEDULE, identity=None):
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 1)

    def loss(step):
        if loss_of is not None and (found := loss_of(step)) is not None:
            return found * module.weight.sum()
        inputs = torch.arange(3.0) + step
        return (module(inputs) - step).square().mean()

    folder.mkdir(exist_ok=True)
    train(
        module, loss, schedule, name="toy", identity=identity or {"data": 1},
        checkpoint=folder / "checkpoint", log=folder / "log.jsonl", measure=lambda: {"answer": 42.0},
    )  # fmt: skip
    return module


def points(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_rate_warms_up_stays_constant_and_decays():
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=10, decay=20)
    rates = [schedule.rate(step) for step in (0, 4, 9, 50, 80, 90, 99)]
    assert rates == pytest.approx([0.1, 0.5, 1.0, 1.0, 1.0, 0.5, 0.05])


def test_a_resumed_training_ends_with_the_same_weights(tmp_path):
    whole = fit(tmp_path / "whole")

    def killed(step):
        if step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", killed)
    seen = []
    parts = fit(tmp_path / "parts", seen.append)
    assert seen == [6, 7, 8, 9]  # resumed from the last checkpoint
    assert torch.equal(parts.weight, whole.weight)
    for one, other in zip(points(tmp_path / "parts"), points(tmp_path / "whole"), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert [point["step"] for point in points(tmp_path / "whole")] == [3, 6, 9, 10]
    assert points(tmp_path / "whole")[0]["training"] == "toy"
    assert points(tmp_path / "whole")[0]["answer"] == 42.0


def test_the_checkpoint_of_another_training_is_refused(tmp_path):
    fit(tmp_path)
    with pytest.raises(ModelError, match="another"):
        fit(tmp_path, identity={"data": 2})


def test_a_loss_that_is_not_finite_stops_at_its_step(tmp_path):
    with pytest.raises(ModelError, match=r"step 5.*learning rate"):
        fit(tmp_path, lambda step: float("nan") if step == 4 else None)


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(StorageError, match=r"log\.jsonl"):
        fit(tmp_path)
