"""Training in two processes over gloo on loopback: the weights of one, and errors that end both."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn

from methods.models.config import TrainingConfig
from methods.models.processes import ALONE, LostProcessError, RemoteError
from methods.models.together import join
from methods.models.training import TrainingData, train_module
from tasks.common.errors import BenchError, ConfigError, ModelError
from tasks.common.launch import count_launched, count_launched_here, read_rank
from tasks.common.progress import Progress
from tests.methods.models.launched import run_together
from tests.methods.models.training_net import CONFIG, SEEDS, Net, data_for

EARLY = CONFIG.model_copy(update={"early_stop_patience": 2, "epochs": 4, "micro_batch_size": 3})
SHORT = TrainingConfig(learning_rate=0.05, batch_size=7, epochs=2, weight_decay=0.5)


class Spare(Net):
    """Also has a weight that no loss depends on, and one that only the rows of length 4 use."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(2))
        self.rare = nn.Parameter(torch.ones(()))


def rare_data(net, **options):
    data = data_for(net, **options)

    def nll(rows, epoch):
        losses, tokens = data.nll(rows, epoch)
        used = torch.tensor([float(data.lengths[row] == 4) for row in rows])
        return (losses + used * net.rare**2 if used.any() else losses), tokens

    return TrainingData(data.ids, data.lengths, nll)


def train(config, folder, processes=ALONE, **options):
    net = Spare()
    report = train_module(
        net, rare_data(net, **options), config, seeds=SEEDS, identity="llm", checkpoint=folder,
        progress=Progress(), dev=rare_data(net, rows=9), processes=processes,
    )  # fmt: skip
    return net, report


def train_and_save(config, folder: Path):
    with join() as processes, processes.united():
        net, report = train(config, folder / "checkpoint", processes)
        saved = {"weights": net.state_dict(), "report": report}
        torch.save(saved, folder / f"{processes.rank}.pt")


@pytest.mark.parametrize("config", [EARLY, SHORT], ids=["early-stop", "uneven"])
def test_two_processes_train_the_weights_of_one(tmp_path, config):
    """Batches of 7 in two parts, 30 rows: the last batch has two rows; tokens differ by part."""
    assert run_together(train_and_save, config, tmp_path) == [0, 0]
    first, second = (torch.load(tmp_path / f"{n}.pt", weights_only=False) for n in range(2))
    net, report = train(config, tmp_path / "alone")
    for name, value in net.state_dict().items():
        assert torch.equal(first["weights"][name], second["weights"][name]), name
        torch.testing.assert_close(first["weights"][name], value, rtol=1e-5, atol=1e-6)
    assert torch.equal(net.unused, torch.ones(2))  # not even weight decay
    assert (first["report"].steps, first["report"].examples) == (report.steps, report.examples)
    for point, other in zip(first["report"].curve, report.curve, strict=True):
        assert point == pytest.approx(other, rel=1e-5)
    assert first["report"] == second["report"]


def resume(folder: Path):
    """Stop in the middle of the training, once the checkpoint of a step is written; then go on."""
    with join() as processes:
        net = Spare()
        stopping = rare_data(net, calls=[], stop_after=5)
        with suppress(KeyboardInterrupt):
            train_module(
                net, stopping, CONFIG, seeds=SEEDS, identity="llm", checkpoint=folder / "c",
                progress=Progress(), processes=processes,
            )  # fmt: skip
        net = Spare()
        calls = []
        train_module(
            net, rare_data(net, calls=calls), CONFIG, seeds=SEEDS, identity="llm",
            checkpoint=folder / "c", progress=Progress(), processes=processes,
        )  # fmt: skip
        assert len(calls) == 12 - 5
        torch.save(net.state_dict(), folder / f"{processes.rank}.pt")


def test_two_processes_resume_from_one_checkpoint(tmp_path):
    assert run_together(resume, tmp_path) == [0, 0]
    net = Spare()
    train_module(
        net, rare_data(net), CONFIG, seeds=SEEDS, identity="llm", checkpoint=tmp_path / "alone",
        progress=Progress(),
    )  # fmt: skip
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(found, net.state_dict(), rtol=1e-5, atol=1e-6)


def fail(folder: Path):
    """What each process raises where one fails: in a training step, outside, and twice over."""
    seen = []

    def note(kind, work):
        try:
            with processes.united():
                work()
        except kind as error:
            seen.append(f"{type(error).__name__}: {error}")

    def fail_in_second(error):
        if processes.rank:
            raise error
        train(CONFIG, folder / "a", processes)

    def diverge():
        train(CONFIG, folder / "b", processes, poison=3)

    def nested():
        with processes.united():
            fail_in_second(ModelError("one", hint="Two", file="f", id="q"))

    with join() as processes:
        note(BenchError, lambda: fail_in_second(ModelError("one", hint="Two", file="f", id="q")))
        note(RemoteError if processes.is_main else KeyError, lambda: fail_in_second(KeyError("k")))
        note(ModelError, diverge)
        note(ModelError, nested)
        note(ConfigError, lambda: processes.copy_from_main([torch.empty(1, device="meta")]))
        with processes.united():
            assert processes.share(processes.rank) == 0
            assert processes.gather(processes.rank) == [0, 1]
            assert processes.add(1, processes.rank) == (2, 1)
        (folder / f"{processes.rank}.json").write_text(json.dumps(seen))


def test_an_error_of_one_process_is_raised_in_all(tmp_path):
    assert run_together(fail, tmp_path) == [0, 0]
    first, second = (json.loads((tmp_path / f"{n}.json").read_text()) for n in range(2))
    assert first[0] == second[0] == "ModelError: f, id 'q': one. Two."
    assert first[1].startswith("RemoteError: process 2 of 2 failed:\nTraceback")
    assert "KeyError: 'k'" in first[1]
    assert second[1] == "KeyError: 'k'"
    assert first[2] == second[2]
    assert "loss is not finite at step" in first[2]
    assert "q3" in first[2]
    assert first[3] == first[0] == second[3]
    assert first[4] == second[4]
    assert "several processes can't train together on meta" in first[4]


def die(folder: Path):
    with join() as processes:
        if processes.rank:
            os._exit(9)
        lost = pytest.raises(LostProcessError, match="another process of this run has ended")
        with lost, processes.united():
            train(CONFIG, folder, processes)


def test_a_process_that_dies_is_noticed(tmp_path):
    assert run_together(die, tmp_path) == [0, 9]


@pytest.mark.parametrize("number", ["", "x", "1"])
def test_without_a_launcher_a_process_is_alone(monkeypatch, number):
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("WORLD_SIZE", number)
    assert (count_launched(), count_launched_here(), read_rank()) == (1, 1, 0)
    with join() as processes, processes.united():
        assert processes is ALONE
        assert processes.share("a") == "a"
        assert processes.gather("a") == ["a"]
        assert processes.part_of([1, 2, 3]) == [1, 2, 3]
