"""Train the adapters of many users at once, each exactly as if it were trained alone."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from methods.lora.layers import AdapterStack
from methods.lora.optimizer import PerUserAdamW, place_once
from methods.models.batching import BatchSize
from methods.models.checkpoint import Checkpoint, State, Weights
from methods.models.config import LoraConfig, TrainingConfig
from methods.models.loop import run_steps
from methods.models.training import bucket_by_length
from tasks.common.errors import ModelError
from tasks.common.files import content_key
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds

if TYPE_CHECKING:
    from methods.models.language_model import LanguageModel

Row = tuple[int, int]
"""(user's place in the stack, index of one of the user's lessons)"""


@dataclass(frozen=True)
class Lessons:
    """Training data of one user's adapter: N > 0 prompts and responses.

    Attributes:
        user: id, for messages.
        key: content key of the adapter.
        seeds: of its initial weights, order and dropout.
        lengths: of the prompts, in tokens.
    """

    user: str
    key: str
    seeds: Seeds
    prompts: Sequence[str]
    responses: Sequence[str]
    lengths: Sequence[int]


@dataclass(frozen=True)
class Trained:
    """One user's adapter.

    Attributes:
        weights: under peft's names.
        curve: mean NLL per response token of each step's batch, in nats.
        seconds: duration of the joint training divided by its number of users.
    """

    weights: Weights
    curve: tuple[float, ...]
    seconds: float


def train_together(
    llm: "LanguageModel",
    users: Sequence[Lessons],
    lora: LoraConfig,
    config: TrainingConfig,
    *,
    max_input_tokens: int,
    max_response_tokens: int,
    checkpoints: Path,
    progress: Progress,
) -> list[Trained]:
    """Train an adapter for each user, all in the same forward passes.

    Each user has its own batches, initial weights, dropout, clipping, AdamW moments, schedule and
    number of steps, as in `train_module` with a stack of one and the user's seeds. The other users
    change its weights only by the rounding of floats.

    Args:
        checkpoints: folder for this group's last state while it is trained.

    Returns:
        One adapter per user, in their order.

    Raises:
        ModelError: a loss or gradient is not finite (the message names the user), or memory runs
            out.
        StorageError: a checkpoint can't be written.
    """
    training = _GroupTraining(
        llm, users, lora, config, max_input_tokens, max_response_tokens, checkpoints, progress
    )
    with llm.checkpointed(config.gradient_checkpointing), training.stack.attached():
        return training.run()


def count_steps(lessons: int, config: TrainingConfig) -> int:
    """Optimizer steps for a user with that number of lessons."""
    total = math.ceil(lessons / config.batch_size) * config.epochs
    return total if config.max_steps is None else min(total, config.max_steps)


class _GroupTraining:
    """One training of U users: every step is one step of each user that has steps left.

    Rows of all users share the forward passes. A user's gradient comes only from its own rows,
    because only they use its adapter.

    Attributes:
        keys: of the adapters, in the caller's order.
        users: sorted by descending number of steps, as `PerUserAdamW` requires.
        total: steps of the user with most.
        stack: the users' adapters, in the order of `users`.
        size: rows per forward pass.
    """

    def __init__(
        self,
        llm: "LanguageModel",
        users: Sequence[Lessons],
        lora: LoraConfig,
        config: TrainingConfig,
        max_input_tokens: int,
        max_response_tokens: int,
        checkpoints: Path,
        progress: Progress,
    ) -> None:
        self.llm, self.config, self.progress = llm, config, progress
        self.max_input_tokens, self.max_response_tokens = max_input_tokens, max_response_tokens
        self.keys = [user.key for user in users]
        self.users = sorted(users, key=lambda user: -count_steps(len(user.prompts), config))
        totals = [count_steps(len(user.prompts), config) for user in self.users]
        self.total = totals[0]
        self.stack = AdapterStack(llm, lora, len(users))
        for place, user in enumerate(self.users):
            self.stack.draw(place, user.seeds)
        self.optimizer = PerUserAdamW(list(self.stack.parameters()), totals, config)
        self.size = BatchSize(config.micro_batch_size or "auto")
        self._cached_epoch = lru_cache(maxsize=len(users))(self._make_epoch)
        key = content_key(self.keys)
        self.checkpoint = Checkpoint(checkpoints / key, key, config.checkpoint_minutes)

    def run(self) -> list[Trained]:
        """Train all users to their last steps; resumes from a checkpoint if there is one."""
        state = run_steps(
            self.stack,
            self._take_step,
            total=self.total,
            label=f"train {len(self.users)} adapters",
            stateful={"optimizer": self.optimizer},
            checkpoint=self.checkpoint,
            progress=self.progress,
        )
        return self._collect(state)

    def _take_step(self, state: State) -> None:
        """Take one step for every user with steps left, and add it to the curve."""
        started = time.perf_counter()
        losses = self._step(state.step)
        point = {str(place): loss for place, loss in enumerate(losses)}
        state.curve.append(point | {"seconds": time.perf_counter() - started})

    def _collect(self, state: State) -> list[Trained]:
        """The users' results, in the caller's order."""
        seconds = math.fsum(point["seconds"] for point in state.curve) / len(self.users)
        found = {
            user.key: Trained(
                self.stack.weights(place),
                tuple(point[str(place)] for point in state.curve if str(place) in point),
                seconds,
            )
            for place, user in enumerate(self.users)
        }
        return [found[key] for key in self.keys]

    def _step(self, step: int) -> list[float]:
        """Take one step for every user with steps left; returns their losses before it."""
        rows = [
            (place, lesson)
            for place in range(self.optimizer.active)
            for lesson in self._batch(place, step)
        ]
        # Sorted by length across users, which pads less than each user's own batch.
        rows.sort(key=lambda row: (-self.users[row[0]].lengths[row[1]], row))
        nll, tokens = self.size.fit(lambda size: self._accumulate(rows, size, step))
        counts_for = place_once(tokens.clamp(min=1))
        for weight in self.optimizer.parameters:
            if weight.grad is not None:
                weight.grad.div_(counts_for(weight))
        self._check_finite(self.optimizer.norms(), "gradient", step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        active = nll[tokens > 0] / tokens[tokens > 0]
        return active.tolist()

    def _accumulate(
        self, rows: Sequence[Row], size: int, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Accumulate gradients of each user's summed NLL; returns sums and token counts: [U]."""
        self.optimizer.zero_grad()
        nll_sum = torch.zeros(len(self.users), dtype=torch.float64)
        tokens_sum = torch.zeros(len(self.users), dtype=torch.int64)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            places = torch.tensor([place for place, _ in part])
            nll, tokens = self._forward(part, step)
            nll_sum.index_add_(0, places, nll.detach().cpu().double())
            tokens_sum.index_add_(0, places, tokens.cpu())
            self._check_finite(nll_sum, "loss", step)
            nll.sum().backward()
        return nll_sum, tokens_sum

    def _forward(self, rows: Sequence[Row], step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """NLL and response tokens of B rows, each with its user's adapter: [B]."""
        users = [self.users[place] for place, _ in rows]
        lessons = [lesson for _, lesson in rows]
        keys = [
            make_dropout_key(user.seeds, self._epoch(user, step), lesson)
            for user, lesson in zip(users, lessons, strict=True)
        ]
        self.stack.use([place for place, _ in rows], keys)
        device = self.llm.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.config.bf16):
            return self.llm.loss(
                [user.prompts[n] for user, n in zip(users, lessons, strict=True)],
                [user.responses[n] for user, n in zip(users, lessons, strict=True)],
                max_input_tokens=self.max_input_tokens,
                max_response_tokens=self.max_response_tokens,
            )

    def _batch(self, place: int, step: int) -> list[int]:
        """A user's lessons in a step."""
        user = self.users[place]
        epoch = self._epoch(user, step)
        return self._cached_epoch(place, epoch)[step - epoch * self._steps_per_epoch(user)]

    def _make_epoch(self, place: int, epoch: int) -> list[list[int]]:
        """A user's batches of an epoch."""
        user = self.users[place]
        return bucket_by_length(
            user.lengths, self.config.batch_size, user.seeds.seed("order", epoch)
        )

    def _epoch(self, user: Lessons, step: int) -> int:
        return step // self._steps_per_epoch(user)

    def _steps_per_epoch(self, user: Lessons) -> int:
        return math.ceil(len(user.prompts) / self.config.batch_size)

    def _check_finite(self, values: torch.Tensor, what: str, step: int) -> None:
        """Raise ModelError, naming the user, unless all values [≤ U] are finite."""
        for user, value in zip(self.users, values.tolist(), strict=False):
            if not math.isfinite(value):
                raise ModelError(
                    f"{what} of a user's adapter is not finite at step {step + 1}",
                    id=user.user,
                    hint="Lower learning_rate, set bf16 = false, or look at this user's history",
                )


def make_dropout_key(seeds: Seeds, epoch: int, lesson: int) -> int:
    """The key of a lesson's dropout masks in an epoch, for `AdapterStack.use`."""
    return seeds.seed("dropout", epoch, lesson)
