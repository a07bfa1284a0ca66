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
    """AdamW, its learning rate constant between a linear rise and a linear fall.

    Attributes:
        warmup, decay: steps of the rise and of the fall; what lies between can be made longer or
            shorter afterwards without another start.
        measure_every: steps between points of the log, each with a checkpoint.
    """

    steps: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: int = 100
    decay: int = 400
    max_grad_norm: float = 1.0
    measure_every: int = 100

    def rate(self, step: int) -> float:
        """The learning rate of step number `step`, from 0 on."""
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
    """Fit all of `module`; it ends in eval mode.

    Killed and started again, it goes on from its checkpoint and ends with the same weights (bit for
    bit on one machine's CPU with as many threads).

    Args:
        loss: step number → a scalar, the same for the same number and weights.
        name: of this training, in the log.
        identity: what else the outcome depends on, as JSON.
        checkpoint: folder of the state to go on from and to write.
        log: JSON lines, to which each point adds one: training (`name`), step, loss (mean since the
            point before), seconds (likewise), and what `measure` finds.
        measure: how good the module is now; it is in eval mode.

    Raises:
        ModelError: a loss that is not finite, or a checkpoint of another training.
        StorageError: checkpoint or log can't be written.
    """
    optimizer = torch.optim.AdamW(
        module.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    key = content_key([name, asdict(schedule), identity])
    since = time.monotonic()

    def step(state: State) -> None:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(state.step)
        state.nll += _update(module, optimizer, loss, schedule, state.step)
        state.tokens += 1

    def log_point(state: State) -> bool:
        nonlocal since
        if state.step % schedule.measure_every and state.step < schedule.steps:
            return False
        seconds = round(time.monotonic() - since, 1)
        point = {"step": state.step, "loss": state.nll / state.tokens, "seconds": seconds}
        state.nll, state.tokens, since = 0.0, 0, time.monotonic()
        module.eval()
        _note(log, {"training": name, **point, **measure()})
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


def _update(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[int], torch.Tensor],
    schedule: Schedule,
    step: int,
) -> float:
    optimizer.zero_grad()
    value = loss(step)
    if not math.isfinite(value.item()):
        raise ModelError(f"loss is not finite at step {step + 1}", hint="Lower the learning rate")
    value.backward()
    nn.utils.clip_grad_norm_(module.parameters(), schedule.max_grad_norm)
    optimizer.step()
    return value.item()


def _note(log: Path, point: dict[str, Any]) -> None:
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(point) + "\n")
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=log,
            hint="Free space or choose a writable folder, then run the same command again",
        ) from error
