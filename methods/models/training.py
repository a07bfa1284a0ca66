"""Training a module on a train set in epochs: every trained method, and the LLM's adaptation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from methods.models.batching import BatchSize, in_batches
from methods.models.checkpoint import State, put_weights, trained_weights
from methods.models.config import TrainingConfig
from methods.models.loop import run_steps
from methods.models.processes import ALONE, Processes
from methods.models.report import FitReport
from methods.models.shared_checkpoint import SharedCheckpoint
from tasks.common.errors import ConfigError, ModelError
from tasks.common.files import content_key
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds

OUT_OF_MEMORY = (
    "Set this training's `micro_batch_size` to a smaller number (it is part of the results' key: "
    "under dropout it decides which masks are drawn), or gradient_checkpointing = true"
)
MEGABATCH = 16  # batches sorted together by length; more wastes less padding and shuffles less


@dataclass(frozen=True)
class TrainingData:
    """What a module learns from.

    Attributes:
        ids: of each row, for messages.
        lengths: of each row in tokens, for batches of similar lengths.
        nll: (row indices, epoch) → summed NLL [B] of the rows' responses, with a gradient to the
            trained module, and their response tokens [B].
    """

    ids: Sequence[str]
    lengths: Sequence[int]
    nll: Callable[[Sequence[int], int], tuple[torch.Tensor, torch.Tensor]]


def train_module(
    module: nn.Module,
    data: TrainingData,
    config: TrainingConfig,
    *,
    seeds: Seeds,
    identity: str,
    checkpoint: Path,
    progress: Progress,
    dev: TrainingData | None = None,
    learning_rates: Mapping[str, float] | None = None,
    processes: Processes = ALONE,
) -> FitReport:
    """Fit the parameters of `module` that require gradients; it ends in eval mode.

    AdamW with linear decay after warm-up. A step's gradient is that of the mean NLL per response
    token over the whole batch, however many forward passes it takes. Every step is seeded by its
    number, so a run that was killed and resumed ends with the same weights as an uninterrupted one
    (bit for bit on a CPU).

    Several processes each take a share of every batch and add their gradients, so weights are those
    of one process but for rounding. Masks of torch's dropout are other ones, as on another device.

    Args:
        seeds: for order and dropout.
        identity: what else the outcome depends on (LLM, data, method), for the checkpoint.
        checkpoint: folder to resume from, if it holds a state of this training, and to write to.
        dev: for the dev loss at each evaluation; required for early stopping.
        learning_rates: submodule → its learning rate instead of the config's; same schedule.
        processes: that train the module together; each calls this function with equal arguments.

    Returns:
        Steps, examples seen, and the curve: {"step", "loss", "learning_rate", "dev_loss"?} at each
        evaluation, losses in nats per response token.

    Raises:
        ModelError: a loss or gradient is not finite (named by step and batch ids), the checkpoint
            belongs to another training, or memory runs out.
        ConfigError: early stopping without dev data.
        StorageError: the checkpoint can't be written.
    """
    rates = learning_rates or {}
    training = _Training(
        module, data, config, seeds, identity, checkpoint, progress, dev, rates, processes
    )
    return training.run()


class _Training:
    def __init__(
        self,
        module: nn.Module,
        data: TrainingData,
        config: TrainingConfig,
        seeds: Seeds,
        identity: str,
        checkpoint: Path,
        progress: Progress,
        dev: TrainingData | None,
        rates: Mapping[str, float],
        processes: Processes,
    ) -> None:
        # Both import every model's code, which those who only list methods don't need.
        from accelerate import Accelerator
        from transformers import get_linear_schedule_with_warmup

        if config.early_stop_patience is not None and dev is None:
            raise ConfigError(
                "early stopping needs a dev set, and there is none",
                hint="Unset early_stop_patience, or give the task dev data",
            )
        self.module, self.data, self.dev, self.config = module, data, dev, config
        self.seeds, self.progress, self.processes = seeds, progress, processes
        self.trained = [weight for weight in module.parameters() if weight.requires_grad]
        self.device = self.trained[0].device
        self.accelerator = Accelerator()
        self.micro_batch = BatchSize(config.forward_size, OUT_OF_MEMORY)
        self.dev_batch = BatchSize("auto")
        self.steps_per_epoch = math.ceil(len(data.ids) / config.batch_size)
        self.total = self.steps_per_epoch * config.epochs
        if config.max_steps is not None:
            self.total = min(self.total, config.max_steps)
        self._order: tuple[int, list[list[int]]] | None = None
        self.optimizer = torch.optim.AdamW(
            _groups(module, rates), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.scheduler = get_linear_schedule_with_warmup(
            self.optimizer, math.ceil(config.warmup_share * self.total), self.total
        )
        key = content_key(
            [
                identity,
                config.key_options(),
                seeds.axes,
                list(data.ids),
                dict(rates),
            ]
        )
        self.checkpoint = SharedCheckpoint(checkpoint, key, config.checkpoint_minutes, processes)
        self.stateful = {"optimizer": self.optimizer, "scheduler": self.scheduler}

    def run(self) -> FitReport:
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            state = run_steps(
                self.module,
                self._step,
                total=self.total,
                label="training",
                stateful=self.stateful,
                checkpoint=self.checkpoint,
                progress=self.progress,
                after_step=self._after_step,
                should_stop=self._has_stopped,
            )
        if state.best is not None:
            put_weights(self.module, state.best)
        self.processes.copy_from_main(self.trained)
        return FitReport(steps=state.step, examples=state.examples, curve=tuple(state.curve))

    def _after_step(self, state: State) -> bool:
        if self._is_point(state.step):
            self._evaluate(state)
        return state.step == self.total or self._has_stopped(state)

    def _step(self, state: State) -> None:
        epoch, position = divmod(state.step, self.steps_per_epoch)
        rows = self._batches(epoch)[position]
        own = self.processes.part_of(rows)
        found = self.micro_batch.fit(
            lambda size: self._accumulate(own, size, epoch=epoch, step=state.step)
        )
        nll, tokens = self.processes.add(*found)
        self.processes.add_gradients(self.trained)
        for weight in self.trained:
            if weight.grad is not None:
                weight.grad.div_(tokens)
        norm = self.accelerator.clip_grad_norm_(self.trained, self.config.max_grad_norm)
        if not math.isfinite(norm):
            raise _not_finite("gradient", self.data, rows, state.step + 1)
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad()
        state.examples += len(rows)
        state.nll += nll
        state.tokens += int(tokens)

    def _accumulate(
        self, rows: Sequence[int], size: int, *, epoch: int, step: int
    ) -> tuple[float, int]:
        """Accumulate gradients of the summed NLL of `rows`; returns that sum and its tokens."""
        rank = [self.processes.rank] if self.processes.rank else []  # masks of its own
        torch.manual_seed(self.seeds.seed("step", step, *rank))
        self.optimizer.zero_grad()
        nll_sum, tokens_sum = 0.0, 0
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            nll, tokens = self._nll(self.data, part, epoch)
            total = nll.sum()
            if not torch.isfinite(total):
                raise _not_finite("loss", self.data, part, step + 1)
            self.accelerator.backward(total)
            nll_sum += total.item()
            tokens_sum += int(tokens.sum())
        return nll_sum, tokens_sum

    def _nll(
        self, data: TrainingData, rows: Sequence[int], epoch: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16):
            return data.nll(rows, epoch)

    def _batches(self, epoch: int) -> list[list[int]]:
        """An epoch's batches: rows of similar length together, in an order seeded by the epoch."""
        if self._order is None or self._order[0] != epoch:
            batches = bucket_by_length(
                self.data.lengths, self.config.batch_size, self.seeds.seed("order", epoch)
            )
            self._order = epoch, batches
        return self._order[1]

    def _evaluate(self, state: State) -> None:
        point = {
            "step": state.step,
            "loss": state.nll / state.tokens,
            "learning_rate": self.scheduler.get_last_lr()[0],
        }
        state.nll, state.tokens = 0.0, 0
        if self.dev is not None:
            point["dev_loss"] = loss = self._dev_loss(self.dev, state.step)
            if state.best_loss is None or loss < state.best_loss:
                state.best_loss, state.since_best = loss, 0
                if self.config.early_stop_patience is not None:
                    state.best = {n: w.clone() for n, w in trained_weights(self.module).items()}
            else:
                state.since_best += 1
        state.curve.append(point)

    @torch.no_grad()
    def _dev_loss(self, dev: TrainingData, step: int) -> float:
        own = self.processes.part_of(range(len(dev.lengths)))

        def measure(places: Sequence[int]) -> list[tuple[float, int]]:
            rows = [own[place] for place in places]
            nll, tokens = self._nll(dev, rows, 0)
            if not torch.isfinite(nll).all():
                raise _not_finite("dev loss", dev, rows, step)
            return list(zip(nll.tolist(), tokens.tolist(), strict=True))

        self.module.eval()
        found = in_batches([dev.lengths[row] for row in own], self.dev_batch, measure)
        self.module.train()
        nll, tokens = self.processes.add(
            math.fsum(nll for nll, _ in found), sum(tokens for _, tokens in found)
        )
        return nll / tokens

    def _is_point(self, step: int) -> bool:
        """Whether one of the evenly spaced `evaluations` is due; the last is at the end."""
        points = self.config.evaluations
        return step * points // self.total > (step - 1) * points // self.total

    def _has_stopped(self, state: State) -> bool:
        patience = self.config.early_stop_patience
        return patience is not None and state.since_best >= patience


def _groups(module: nn.Module, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """The trained parameters by learning rate, the config's first."""
    trained = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
    groups: list[dict[str, Any]] = []
    for submodule, rate in rates.items():
        own = [name for name in trained if name.startswith(f"{submodule}.")]
        if own:
            groups.append({"params": [trained.pop(name) for name in own], "lr": rate})
    return [{"params": list(trained.values())}, *groups]


def _not_finite(what: str, data: TrainingData, rows: Sequence[int], step: int) -> ModelError:
    ids = ", ".join(data.ids[row] for row in rows)
    return ModelError(
        f"{what} is not finite at step {step}, in the batch with ids {ids}",
        hint="Lower learning_rate, set bf16 = false, or look at these examples",
    )


def bucket_by_length(lengths: Sequence[int], batch_size: int, seed: int) -> list[list[int]]:
    """All rows in batches of `batch_size` (one may be smaller), similar lengths together.

    Rows are shuffled, sorted by length (longest first) within stretches of 16 batches, cut into
    batches, and the batches shuffled.
    """
    random = np.random.default_rng(seed)
    rows = random.permutation(len(lengths)).tolist()
    batches = []
    for start in range(0, len(rows), MEGABATCH * batch_size):
        stretch = sorted(
            rows[start : start + MEGABATCH * batch_size], key=lambda row: -lengths[row]
        )
        batches += [stretch[i : i + batch_size] for i in range(0, len(stretch), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]
