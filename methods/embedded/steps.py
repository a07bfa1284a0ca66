"""Training models from scratch on generated examples without end.

Unlike `methods.models.training`, which fits a method to a train set in epochs, a step is defined by
its number alone, and progress is measured by answering. The loop and its checkpoints are shared.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from methods.models.checkpoint import Checkpoint, State
from methods.models.loop import run_steps
from tasks.common.errors import ModelError, StorageError
from tasks.common.files import content_key
from tasks.common.progress import Progress


@dataclass(frozen=True)
class Schedule:
    """Options of AdamW and its learning rate: linear warmup, constant phase, linear decay.

    Attributes:
        steps: number of optimizer steps.
        learning_rate: the peak learning rate.
        warmup, decay: number of steps of the warmup and of the decay.
        measure_every: steps between entries of the log, each written with a checkpoint.
    """

    steps: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: int = 100
    decay: int = 400
    max_grad_norm: float = 1.0
    measure_every: int = 100

    def rate(self, step: int) -> float:
        """The learning rate at step `step`, counted from 0."""
        rising = (step + 1) / max(1, self.warmup)
        falling = (self.steps - step) / max(1, self.decay)
        return self.learning_rate * min(1.0, rising, falling)


def train(
    module: nn.Module,
    loss: Callable[[int], torch.Tensor],
    schedule: Schedule,
    *,
    name: str,
    identity: Mapping[str, Any],
    checkpoint: Path,
    log: Path,
    measure: Callable[[], dict[str, float]],
) -> None:
    """Train all parameters of `module`, and leave it in eval mode.

    If interrupted and started again, training resumes from its checkpoint and ends with the same
    weights (bit for bit on the same CPU with the same number of threads).

    Args:
        loss: step number → the loss, a scalar determined by the step and the weights.
        name: of this training in the log.
        identity: whatever else the result depends on, as JSON.
        checkpoint: folder that the state is restored from and saved to.
        log: JSON lines file. Each entry has `training` (the name), `step`, `loss` (the mean since
            the previous entry), `seconds` (since the previous entry) and the results of `measure`.
        measure: evaluates the module, which is in eval mode.

    Raises:
        ModelError: the loss is not finite, or the checkpoint belongs to another training.
        StorageError: the checkpoint or the log can't be written.
    """
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    key = content_key([name, asdict(schedule), identity])
    since = time.monotonic()

    def step(state: State) -> None:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(state.step)
        state.nll += _take_step(module, optimizer, loss, schedule, state.step)
        state.tokens += 1

    def log_point(state: State) -> bool:
        nonlocal since
        if state.step % schedule.measure_every and state.step < schedule.steps:
            return False
        seconds = round(time.monotonic() - since, 1)
        entry = {"step": state.step, "loss": state.nll / state.tokens, "seconds": seconds}
        state.nll, state.tokens, since = 0.0, 0, time.monotonic()
        module.eval()
        _append_entry(log, {"training": name, **entry, **measure()})
        module.train()
        return True

    run_steps(
        module,
        step,
        total=schedule.steps,
        label=name,
        stateful={"optimizer": optimizer},
        checkpoint=Checkpoint(checkpoint, key, math.inf),
        progress=Progress(),
        after_step=log_point,
    )


def _take_step(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int], torch.Tensor],
    schedule: Schedule,
    step: int,
) -> float:
    optimizer.zero_grad()
    value = loss(step)
    if not math.isfinite(value.item()):
        raise ModelError(
            f"the loss is not finite at step {step + 1}", hint="Lower the learning rate"
        )
    value.backward()
    nn.utils.clip_grad_norm_(module.parameters(), schedule.max_grad_norm)
    optimizer.step()
    return value.item()


def _append_entry(log: Path, entry: dict[str, Any]) -> None:
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=log,
            hint="Free disk space or choose a writable folder, then run the same command again",
        ) from error
