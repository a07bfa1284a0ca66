"""Speed as ratios within one run: `make perf`. Prints; fails only where a shortcut is none."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import methods
from methods.models.config import Decoding, EncoderConfig, LLMConfig
from methods.models.embedding_store import EmbeddingStore
from methods.models.encoder import Encoder
from methods.models.opening import open_llm
from methods.pplug import Projector
from tasks import TASKS
from tests.tiny import tiny_encoder, tiny_t5

EMBEDDED = Path(methods.__file__).parent / "embedded" / "weights" / "encoder"
TEXTS = [f"{'a movie about the sea ' * (1 + number % 8)}{number}" for number in range(256)]


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The fastest of some runs."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def report(what: str, slow: float, fast: float) -> float:
    print(f"\n{what}: {slow / fast:.1f} × ({slow:.3f} s → {fast:.3f} s)")
    return slow / fast


def test_batches_sorted_by_length_against_one_by_one(tmp_path: Path) -> None:
    folder = tiny_t5(tmp_path / "t5")

    def run(batch_size: int) -> float:
        config = LLMConfig(model=str(folder), batch_size=batch_size, decoding=Decoding(num_beams=4))
        llm = open_llm(config, task=TASKS.get("LaMP-2")(), train=None, seed=0, cache=tmp_path)
        return seconds(lambda: llm.generate(TEXTS, max_new_tokens=8, max_input_tokens=128), 1)

    assert report("generation in batches of 64 against one by one", run(1), run(64)) > 1


def test_stored_embeddings_against_encoding(tmp_path: Path) -> None:
    config = EncoderConfig(model=str(tiny_encoder(tmp_path / "encoder")), device="cpu")
    encoder = Encoder.open(config, cache=tmp_path)
    store = EmbeddingStore(encoder, tmp_path / "embeddings")
    first = seconds(lambda: store.get(TEXTS, side="document"), 1)
    assert report("embeddings read against encoded", first, seconds(
        lambda: store.get(TEXTS, side="document")
    )) > 1  # fmt: skip


def test_texts_of_which_half_repeat_against_all_distinct(tmp_path: Path) -> None:
    """CPU seconds of the embedded encoder on 4,000 behaviours."""
    encoder = Encoder.open(EncoderConfig(model=str(EMBEDDED), device="cpu"), cache=tmp_path)
    draw = random.Random(0)
    words = ["the", "a", "good", "film", "about", "war", "and", "music", "in", "old", "towns"]
    texts = [
        f"{number} {' '.join(draw.choices(words, k=draw.randint(10, 60)))}"
        for number in range(4000)
    ]
    half = texts[:2000] * 2
    draw.shuffle(half)

    def encode(behaviours: list[str], name: str) -> float:
        store = EmbeddingStore(encoder, tmp_path / name)
        start = time.process_time()
        store.add(behaviours, side="document")
        return time.process_time() - start

    encode(texts[:200], "warm")
    every, repeating = encode(texts, "all"), encode(half, "half")
    print(f"\nencoding with half of the texts repeating: {repeating / every:.2f} of encoding all")
    assert repeating / every <= 0.55


@pytest.mark.parametrize("behaviours", [16, 128])
def test_projecting_after_the_sum_against_projecting_each(behaviours: int) -> None:
    projector = Projector(256, 1024)
    vectors, weights = torch.randn(16, behaviours, 256), torch.rand(16, behaviours)

    def each() -> torch.Tensor:
        return (weights.unsqueeze(-1) * projector(vectors)).sum(1)

    def after() -> torch.Tensor:
        hidden = (weights.unsqueeze(-1) * projector.hidden(vectors)).sum(1)
        return hidden @ projector.last.weight.T + weights.sum(1, keepdim=True) * projector.last.bias

    torch.testing.assert_close(each(), after(), rtol=1e-3, atol=1e-3)
    what = f"PPlug's projector after the sum, {behaviours} behaviours"
    assert report(what, seconds(each), seconds(after)) > 1


def test_help_against_a_command_that_reads_the_grid() -> None:
    """`bench --help` must not wait for torch: under 0.3 s on an idle laptop."""
    bench = Path(sys.executable).with_name("bench")
    root = Path(__file__).parents[2]

    def run(*arguments: str) -> float:
        return seconds(
            lambda: subprocess.run([bench, *arguments], cwd=root, check=True, capture_output=True)
        )

    assert report("bench --help against bench plan", run("plan"), run("--help")) > 1
