"""Users' LoRA trained together and one by one, on an LLM of random weights.

    python -m tests.perf.gpu_user_lora smollm2-135m --dtype bfloat16
    python -m tests.perf.gpu_user_lora llama-tiny --tiny    # tries it out, on a CPU too

Prints one line of JSON: users a minute each way, peak memory, by how much losses and weights differ,
and whether training together twice gives equal bits. Needs no download.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from methods.lora.training import Lessons, Trained, train_together
from methods.models.config import LLMConfig, LoraConfig, TrainingConfig
from methods.models.language_model import LanguageModel
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tests.perf.gpu_models import (
    make_llm,
    make_text,
    peak_gib,
    report,
    reset_peak,
    size_parser,
    synchronize,
)

LORA = LoraConfig(rank=8, alpha=8, dropout=0.0)


@dataclass(frozen=True)
class Run:
    """Adapters, and what their training took."""

    trained: list[Trained]
    seconds: float
    peak: float | None


def make_lessons(user: int, items: int, words: int, vocabulary: int) -> Lessons:
    """A user with prompts of different lengths and responses of 12 words."""
    lengths = [words - (item * 7) % (words // 2) for item in range(items)]
    return Lessons(
        user=f"u{user}",
        key=f"{user:08d}",
        seeds=Seeds.root("users", user),
        prompts=[make_text(n, user * 100 + i, vocabulary) for i, n in enumerate(lengths)],
        responses=[make_text(12, 10**6 + user * 100 + i, vocabulary) for i in range(items)],
        lengths=lengths,
    )


def train(
    llm: LanguageModel, users: list[Lessons], config: TrainingConfig, users_at_once: int
) -> Run:
    reset_peak()
    with tempfile.TemporaryDirectory() as folder:
        synchronize()
        start = time.perf_counter()
        trained = []
        for first in range(0, len(users), users_at_once):
            trained += train_together(
                llm, users[first : first + users_at_once], LORA, config, max_input_tokens=256,
                max_response_tokens=64, checkpoints=Path(folder), progress=Progress(),
            )  # fmt: skip
        synchronize()
        return Run(trained, time.perf_counter() - start, peak_gib())


def largest_gaps(together: Run, alone: Run) -> tuple[float, float]:
    """Between the users that both trained: of a loss, in nats per token, and of a weight."""
    pairs = list(zip(together.trained, alone.trained, strict=False))
    loss = max(abs(x - y) for a, b in pairs for x, y in zip(a.curve, b.curve, strict=True))
    weight = max(
        (a.weights[name] - b.weights[name]).abs().max().item()
        for a, b in pairs
        for name in a.weights
    )
    return loss, weight


def parse() -> argparse.Namespace:
    parser = size_parser(__doc__)
    parser.add_argument("--dtype", default="bfloat16", help="of the LLM; adapters are float32")
    parser.add_argument("--users", type=int, default=64)
    parser.add_argument("--items", type=int, default=16, help="of each user")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--alone", type=int, default=8, help="users trained one by one")
    given = parser.parse_args()
    if given.tiny:
        given.users, given.items, given.alone = 4, 4, 2
    return given


def main() -> None:
    given = parse()
    model, tokenizer = make_llm(given.llm, getattr(torch, given.dtype))
    llm = LanguageModel(model, tokenizer, LLMConfig(model=given.llm, dtype=given.dtype))
    words = 20 if given.tiny else 200
    users = [
        make_lessons(user, given.items, words, model.config.vocab_size)
        for user in range(given.users)
    ]
    config = TrainingConfig(
        learning_rate=1e-3, epochs=2, batch_size=given.batch_size, warmup_share=0.1,
        weight_decay=0.01, max_grad_norm=0.3,
    )  # fmt: skip
    train(llm, users[:8], config, 8)  # warms up
    together, again = (train(llm, users, config, given.users) for _ in range(2))
    alone = train(llm, users[: given.alone], config, 1)
    loss, weight = largest_gaps(together, alone)
    fast = 60 * given.users / min(together.seconds, again.seconds)
    slow = 60 * given.alone / alone.seconds
    report(
        llm=given.llm, dtype=given.dtype, users=given.users, items=given.items,
        batch_size=given.batch_size, users_per_minute_together=fast, users_per_minute_alone=slow,
        times=fast / slow, largest_loss_gap=loss, largest_weight_gap=weight,
        equal_bits_twice=all(
            torch.equal(a.weights[name], b.weights[name])
            for a, b in zip(together.trained, again.trained, strict=True)
            for name in a.weights
        ),
        peak_gib_together=together.peak, peak_gib_alone=alone.peak,
    )  # fmt: skip


if __name__ == "__main__":
    main()
