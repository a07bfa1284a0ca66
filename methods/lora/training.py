"""Training the adapters of many users at once, each exactly as if it were trained alone."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from methods.lora.layers import AdapterStack
from methods.lora.optimizer import PerUserAdamW
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
"""A user's place in the stack, and the number of one of its lessons."""


@dataclass(frozen=True)
class Lessons:
    """What one user's adapter learns from: N > 0 prompts and responses.

    Attributes:
        user: for messages.
        key: content key of the adapter to be learned.
        seeds: of its initial weights, order and dropout; of nobody else.
        lengths: of the prompts in tokens.
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
        weights: by peft's names.
        curve: mean NLL per response token of each step's batch, in nats.
        seconds: of the training that it took part in, divided by its users.
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
    """An adapter for each user, all in the same forward passes.

    Each user has batches, initial weights, dropout, clipping, AdamW moments, schedule and number of
    steps of its own, the same as in `train_module` of a stack of one with the user's seeds. Others
    beside it change its weights by the rounding of floats only.

    Args:
        checkpoints: folder in which this very group's last state is kept while it is trained.

    Raises:
        ModelError: a loss or gradient that is not finite (named by user), or no memory.
        StorageError: a checkpoint can't be written.
    """
    training = _Together(
        llm, users, lora, config, max_input_tokens, max_response_tokens, checkpoints, progress
    )
    with llm.checkpointed(config.gradient_checkpointing), training.stack.attached():
        return training.run()


def steps_of(lessons: int, config: TrainingConfig) -> int:
    """Optimizer steps of a user with so many lessons."""
    total = math.ceil(lessons / config.batch_size) * config.epochs
    return total if config.max_steps is None else min(total, config.max_steps)


class _Together:
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
        self.asked = [user.key for user in users]
        # Those with most steps first, so that the users still in training are always the first.
        self.users = sorted(users, key=lambda user: -steps_of(len(user.prompts), config))
        totals = [steps_of(len(user.prompts), config) for user in self.users]
        self.total = totals[0]
        self.stack = AdapterStack(llm, lora, len(users))
        for place, user in enumerate(self.users):
            self.stack.draw(place, user.seeds)
        self.optimizer = PerUserAdamW(list(self.stack.parameters()), totals, config)
        self.size = BatchSize(config.micro_batch_size or "auto")
        self._batches = lru_cache(maxsize=len(users))(self._epoch)
        key = content_key(self.asked)
        self.checkpoint = Checkpoint(checkpoints / key, key, config.checkpoint_minutes)

    def run(self) -> list[Trained]:
        state = run_steps(
            self.stack,
            self._take_step,
            total=self.total,
            label=f"train {len(self.users)} adapters",
            stateful={"optimizer": self.optimizer},
            checkpoint=self.checkpoint,
            progress=self.progress,
        )
        return self._trained(state)

    def _take_step(self, state: State) -> None:
        started = time.perf_counter()
        losses = self._step(state.step)
        point = {str(place): loss for place, loss in enumerate(losses)}
        state.curve.append(point | {"seconds": time.perf_counter() - started})

    def _trained(self, state: State) -> list[Trained]:
        seconds = math.fsum(point["seconds"] for point in state.curve) / len(self.users)
        found = {
            user.key: Trained(
                self.stack.weights(place),
                tuple(point[str(place)] for point in state.curve if str(place) in point),
                seconds,
            )
            for place, user in enumerate(self.users)
        }
        return [found[key] for key in self.asked]

    def _step(self, step: int) -> list[float]:
        """One step of every user that has steps left; their losses before it."""
        rows = [
            (place, lesson)
            for place in range(self.optimizer.active)
            for lesson in self._batch(place, step)
        ]
        # All users' rows by length: less padding than in any user's own batch.
        rows.sort(key=lambda row: (-self.users[row[0]].lengths[row[1]], row))
        nll, tokens = self.size.fit(lambda size: self._accumulate(rows, size, step))
        for weight in self.optimizer.parameters:
            if weight.grad is not None:
                counts = tokens.clamp(min=1).to(weight)
                weight.grad.div_(counts.view(-1, 1, 1))
        self._check(self.optimizer.norms(), "gradient", step)
        self.optimizer.step()
        self.optimizer.zero_grad()
        active = nll[tokens > 0] / tokens[tokens > 0]
        return active.tolist()

    def _accumulate(
        self, rows: Sequence[Row], size: int, step: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of each user's summed NLL, and per user that sum and its tokens: [U]."""
        self.optimizer.zero_grad()
        nll_sum = torch.zeros(len(self.users), dtype=torch.float64)
        tokens_sum = torch.zeros(len(self.users), dtype=torch.int64)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            places = torch.tensor([place for place, _ in part])
            nll, tokens = self._forward(part, step)
            nll_sum.index_add_(0, places, nll.detach().cpu().double())
            tokens_sum.index_add_(0, places, tokens.cpu())
            self._check(nll_sum, "loss", step)
            nll.sum().backward()
        return nll_sum, tokens_sum

    def _forward(self, rows: Sequence[Row], step: int) -> tuple[torch.Tensor, torch.Tensor]:
        users = [self.users[place] for place, _ in rows]
        lessons = [lesson for _, lesson in rows]
        keys = [
            dropout_key(user.seeds, self._epoch_of(user, step), lesson)
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
        user = self.users[place]
        epoch = self._epoch_of(user, step)
        return self._batches(place, epoch)[step - epoch * self._steps_per_epoch(user)]

    def _epoch(self, place: int, epoch: int) -> list[list[int]]:
        user = self.users[place]
        return bucket_by_length(
            user.lengths, self.config.batch_size, user.seeds.seed("order", epoch)
        )

    def _epoch_of(self, user: Lessons, step: int) -> int:
        return step // self._steps_per_epoch(user)

    def _steps_per_epoch(self, user: Lessons) -> int:
        return math.ceil(len(user.prompts) / self.config.batch_size)

    def _check(self, values: torch.Tensor, what: str, step: int) -> None:
        for user, value in zip(self.users, values.tolist(), strict=False):
            if not math.isfinite(value):
                raise ModelError(
                    f"{what} of a user's adapter is not finite at step {step + 1}",
                    id=user.user,
                    hint="Lower learning_rate, set bf16 = false, or look at this user's history",
                )


def dropout_key(seeds: Seeds, epoch: int, lesson: int) -> int:
    """What a lesson's dropout masks of an epoch are drawn from."""
    return seeds.seed("dropout", epoch, lesson)
