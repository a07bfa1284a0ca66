"""An epoch of PPlug against a plain loop that pads everything to its maxima, in one run.

The plain loop reads the same examples through the same models, padded as in the released code: inputs to 266 tokens,
responses to 128, the input encoder's texts to 276, histories to 512 behaviours. On LaMP-mini and the embedded models;
`python -m pytest tests/perf/test_pplug_epoch.py --override-ini addopts= -s`.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from methods.core.runtime import Runtime
from methods.models import inputs, likelihood, padding
from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.models.opening import load_llm
from methods.models.trainable_encoder import TrainableEncoder
from methods.models.training import TrainingData, bucket_by_length
from methods.pplug import PPlug
from tasks import TASKS
from tasks.common.seeds import Seeds
from tasks.data.loading import load_dataset
from tasks.mini.world import WorldConfig, write_world

INPUT, RESPONSE, ENCODER, HISTORY = 266, 128, 276, 512
BATCH, ROWS = 64, 64
"""Examples of a step, and of the part of the epoch that the plain loop repeats."""
REPEATS = 2
"""Of both; the fastest count."""

Pad = Callable[..., tuple[torch.Tensor, torch.Tensor]]


@pytest.mark.parametrize("task_name", ["LaMP-3", "LaMP-5"])
def test_an_epoch_against_a_loop_that_pads_to_the_maxima(tmp_path: Path, task_name: str) -> None:
    """CPU seconds of forward and backward passes; vectors of histories are known to both."""
    torch.set_num_threads(1)  # threads that wait for each other count as CPU seconds
    method, data = open_pplug(tmp_path, task_name)
    epoch = bucket_by_length(data.lengths, BATCH, 0)
    with counting_fill() as counts:
        run(data, epoch, method)
    part = epoch[: ROWS // BATCH]
    fasts, slows = [], []
    for _ in range(REPEATS):
        fast, losses = run(data, part, method)
        with padded_to_maxima(method):
            slow, plain = run(data, part, method)
        fasts.append(fast)
        slows.append(slow)
    fast, slow = min(fasts), min(slows)
    torch.testing.assert_close(losses, plain, rtol=1e-4, atol=1e-4)
    fill = {what: counts[what, "real"] / counts[what, "read"] for what in ("prompt", "response")}
    total = sum(counts[what, "real"] for what in fill) / sum(counts[what, "read"] for what in fill)
    print(
        f"\n{task_name}, {len(losses)} examples in steps of {BATCH}: {slow / fast:.1f} × "
        f"({1000 * slow / len(losses):.1f} → {1000 * fast / len(losses):.1f} ms an example); fill of "
        f"the LLM's tokens over {len(data.ids)} examples: {total:.1%} (prompts "
        f"{fill['prompt']:.1%}, responses {fill['response']:.1%})"
    )
    assert slow / fast >= 14
    assert total >= 0.85


def open_pplug(folder: Path, task_name: str) -> tuple[PPlug, TrainingData]:
    """The method with its defaults, and its training data."""
    task = TASKS.get(task_name)()
    write_world(folder / "data", WorldConfig(users=96), tasks=[task_name])
    train = load_dataset(task, folder / "data", split="user", set="train")
    llm = load_llm("package:methods/embedded/weights/llm", cache=folder)
    config = EncoderConfig(model="package:methods/embedded/weights/encoder", device="cpu")
    encoder = Encoder.open(config, cache=folder)
    runtime = Runtime(
        task, Seeds.root("perf"), 256, folder, folder / "scratch", lambda: llm, lambda: encoder
    )
    method = PPlug(PPlug.Config(), runtime)
    method.plug.eval()
    return method, method._training_data(train, augment=0)


def run(
    data: TrainingData, batches: Sequence[Sequence[int]], method: PPlug
) -> tuple[float, torch.Tensor]:
    """CPU seconds of forward and backward passes, and the loss of each example."""
    losses = []
    start = time.process_time()
    for batch in batches:
        method.plug.zero_grad()
        nll, tokens = data.nll(batch, 0)
        nll.sum().backward()
        losses.append((nll / tokens).detach())
    return time.process_time() - start, torch.cat(losses)


def change_padding(monkeypatch: pytest.MonkeyPatch, prompts: Pad, responses: Pad) -> None:
    """Let prompts and responses be padded by these functions."""
    for module, pad in ((inputs, prompts), (likelihood, responses)):
        monkeypatch.setattr(module, "padding", SimpleNamespace(**{**vars(padding), "pad": pad}))


@contextmanager
def counting_fill() -> Iterator[Counter[tuple[str, str]]]:
    """Counts the tokens of prompts and responses, and the places that they take."""
    counts: Counter[tuple[str, str]] = Counter()

    def counted(what: str) -> Pad:
        def pad(rows: Any, fill: int, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
            ids, mask = padding.pad(rows, fill, **options)
            counts[what, "real"] += int(mask.sum())
            counts[what, "read"] += mask.numel()
            return ids, mask

        return pad

    with pytest.MonkeyPatch.context() as patch:
        change_padding(patch, counted("prompt"), counted("response"))
        yield counts


@contextmanager
def padded_to_maxima(method: PPlug) -> Iterator[None]:
    """Within, everything that the method reads is padded to its maximum."""

    def to(length: int) -> Pad:
        def pad(rows: Any, fill: int, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
            ids, mask = padding.pad(rows, fill, **options)
            starts = length == RESPONSE and fill != padding.IGNORED  # what the decoder reads
            more = (0, length + starts - ids.shape[1])
            return F.pad(ids, more, value=fill), F.pad(mask, more)

        return pad

    def encode(self: TrainableEncoder, texts: Sequence[str]) -> torch.Tensor:
        features = self.model.preprocess([self.prefix + text for text in texts], prompt="")
        features = {
            name: F.pad(value, (0, ENCODER - value.shape[1])) if torch.is_tensor(value) else value
            for name, value in features.items()
        }
        vectors: torch.Tensor = self.model(features)["sentence_embedding"]
        return vectors

    own = method.histories.batch

    def pad_history(*arguments: Any, **options: Any) -> Any:
        batch = own(*arguments, **options)
        more = HISTORY - batch.mask.shape[1]
        vectors, mask = F.pad(batch.vectors, (0, 0, 0, more)), F.pad(batch.mask, (0, more))
        return type(batch)(batch.examples, vectors, mask)

    with pytest.MonkeyPatch.context() as patch:
        change_padding(patch, to(INPUT), to(RESPONSE))
        patch.setattr(TrainableEncoder, "forward", encode)
        patch.setattr(method.histories, "batch", pad_history)
        yield
