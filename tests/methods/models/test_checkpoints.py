"""Checkpoints: a killed training ends as one that was not, and a damaged one is noticed."""

import json

import pytest
import torch

from methods.models.training import train_module
from tasks.common.errors import ModelError
from tasks.common.progress import Progress
from tests.methods.models.training_net import (
    CONFIG,
    SEEDS,
    Net,
    assert_same,
    data_for,
    fit,
)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.mark.parametrize("stop_after", [1, 5, 6, 11])
def test_killed_anywhere_and_resumed_ends_with_the_same_bits(tmp_path, stop_after):
    straight = Net(dropout=0.3)
    expected = fit(straight, tmp_path / "straight")
    killed = Net(dropout=0.3)
    with pytest.raises(KeyboardInterrupt):
        fit(killed, tmp_path / "c", data=data_for(killed, calls=[], stop_after=stop_after))
    torch.rand(7)  # what ran in between must not matter
    calls, resumed = [], Net(dropout=0.3)
    with torch.no_grad():
        resumed.layers[0].weight.zero_()
    report = fit(resumed, tmp_path / "c", data=data_for(resumed, calls=calls))
    assert_same(straight.state_dict(), resumed.state_dict())
    assert report == expected
    assert len(calls) == 12 - stop_after


def test_a_half_written_checkpoint_is_ignored(tmp_path):
    net = Net()
    fit(net, tmp_path)
    (tmp_path / ".part").mkdir()
    (tmp_path / ".part" / "state.json").write_text("{")
    calls, again = [], Net()
    fit(again, tmp_path, data=data_for(again, calls=calls))
    assert calls == []
    assert_same(net.state_dict(), again.state_dict())
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-000000012"]


def test_checkpoints_of_another_training_are_refused(tmp_path):
    fit(Net(), tmp_path)
    with pytest.raises(
        ModelError, match=r"step-0+12: the checkpoint can't be resumed \(it belongs to ano"
    ):
        fit(Net(), tmp_path, identity="another llm")


@pytest.mark.parametrize("name", ["trained.safetensors", "optimizer.pt", "state.json"])
def test_a_damaged_checkpoint_is_set_aside_before_any_of_it_is_loaded(tmp_path, name):
    """One bit is flipped: all three may still load, and train on to other weights."""
    net = Net()
    fit(net, tmp_path)
    saved = next(tmp_path.glob("step-*"))
    data = bytearray((saved / name).read_bytes())
    data[-100] ^= 1
    (saved / name).write_bytes(data)
    again = Net()
    with pytest.warns(UserWarning, match=rf"{name}: is damaged.*training starts from the start"):
        fit(again, tmp_path)
    assert_same(net.state_dict(), again.state_dict())
    assert saved.with_name(f"{saved.name}.damaged").is_dir()


def test_checkpoints_hold_no_pickled_code(tmp_path):
    fit(Net(), tmp_path)
    folder = next(tmp_path.glob("step-*"))
    torch.load(folder / "optimizer.pt", weights_only=True)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".sha256", "optimizer.pt", "state.json", "trained.safetensors",
    ]  # fmt: skip
    assert json.loads((folder / "state.json").read_text())["step"] == 12


def test_progress_starts_where_the_checkpoint_ended(tmp_path):
    seen = []

    class Watch(Progress):
        def start(self, what, total):
            seen.append((what, total))

        def advance(self, steps=1):
            seen.append(steps)

    net = Net()
    with pytest.raises(KeyboardInterrupt):
        fit(net, tmp_path, data=data_for(net, calls=[], stop_after=9))
    train_module(
        net, data_for(net), CONFIG, seeds=SEEDS, identity="llm", checkpoint=tmp_path,
        progress=Watch(),
    )  # fmt: skip
    assert seen == [("training", 12), 9, 1, 1, 1]
