"""A small network to train, and what its training is compared by."""

import torch
from torch import nn

from methods.models.config import TrainingConfig
from methods.models.training import TrainingData, train_module
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds

SEEDS = Seeds.root("test")
CONFIG = TrainingConfig(learning_rate=0.05, batch_size=8, epochs=3, checkpoint_minutes=1e-9)


class Net(nn.Module):
    """Predicts one of 3 tokens at each of 1 to 4 positions of a row, with dropout in two places."""

    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Linear(5, 8), nn.GELU(), nn.Dropout(dropout), nn.Linear(8, 3)
        )
        self.inputs = nn.Dropout(dropout)
        self.frozen = nn.Linear(3, 3).requires_grad_(False)


def data_for(net, *, rows=30, calls=None, stop_after=None, poison=None):
    random = torch.Generator().manual_seed(1)
    inputs = torch.randn(rows, 4, 5, generator=random)
    targets = inputs[..., :3].argmax(-1)
    lengths = [1 + row % 4 for row in range(rows)]

    def nll(indices, epoch):
        if calls is not None:
            calls.append((list(indices), epoch))
            if stop_after is not None and len(calls) > stop_after:
                raise KeyboardInterrupt
        logits = net.layers(net.inputs(inputs[list(indices)]))
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), targets[list(indices)].flatten(), reduction="none"
        ).view(-1, 4)
        mask = torch.arange(4) < torch.tensor([lengths[row] for row in indices])[:, None]
        if poison in indices:
            loss = loss * float("nan")
        return (loss * mask).sum(1), mask.sum(1)

    return TrainingData([f"q{row}" for row in range(rows)], lengths, nll)


def fit(net, folder, config=CONFIG, *, data=None, dev=None, identity="llm", seeds=SEEDS):
    return train_module(
        net, data or data_for(net), config, seeds=seeds, identity=identity,
        checkpoint=folder, progress=Progress(), dev=dev,
    )  # fmt: skip


def weights(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def assert_same(first, second):
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
