"""PPlug's training step, and generation, through LLMs of real sizes with random weights.

    python -m tests.perf.gpu_speed flan-t5-xxl --micro-batch 32
    python -m tests.perf.gpu_speed llama-3-8b
    python -m tests.perf.gpu_speed t5-tiny --tiny       # tries it out, on a CPU too
    torchrun --nproc-per-node 2 -m tests.perf.gpu_speed llama-3-8b      # the step alone, on two GPUs

Prints one line of JSON per measurement: a training step, a profile of its kernels, the LLM's part of it,
generation. Needs no download. The compute dtype is bfloat16; the input encoder, of BERT-base's size, is float32.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from methods.core.runtime import Runtime
from methods.models.config import Decoding, EncoderConfig, LLMConfig
from methods.models.encoder import Encoder
from methods.models.language_model import LanguageModel
from methods.models.processes import Processes
from methods.models.together import join
from methods.pplug import PPlug
from tasks import TASKS, Behavior, Dataset, Example
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tests.perf.gpu_models import (
    DEVICE,
    T5_SIZES,
    make_llm,
    make_text,
    measure_matmul_rate,
    measure_seconds,
    peak_gib,
    report,
    reset_peak,
    size_parser,
    synchronize,
    write_encoder,
)


@dataclass(frozen=True)
class Load:
    """How much is computed: tokens of a prompt, items of a history, and the rest."""

    tokens: int = 256
    items: int = 50
    new_tokens: int = 32
    generation_batches: tuple[int, ...] = (16, 64)
    matrix: int = 8192


TINY = Load(tokens=32, items=5, new_tokens=4, generation_batches=(2, 4), matrix=256)


class Clock(Progress):
    """Notes when each training step ended."""

    def __init__(self) -> None:
        self.at: list[float] = []
        self.phase = ""

    def start(self, what: str, total: int) -> None:
        self.phase = what

    def advance(self, steps: int = 1) -> None:
        if self.phase == "training" and steps:
            synchronize()
            self.at.append(time.perf_counter())

    @property
    def median_step(self) -> float:
        """Seconds, without the first step, which also warms up."""
        gaps = sorted(b - a for a, b in zip(self.at, self.at[1:], strict=False))
        return gaps[len(gaps) // 2]


class Bench:
    """One LLM and one encoder, and what is measured on them."""

    def __init__(self, name: str, load: Load, folder: Path, processes: Processes) -> None:
        self.name, self.load, self.folder, self.processes = name, load, folder, processes
        self.rate = measure_matmul_rate(load.matrix)
        self.model, self.tokenizer = make_llm(name, torch.bfloat16)
        self.vocabulary = min(self.model.config.vocab_size, 30000)
        encoder = write_encoder(folder / "encoder", tiny=load is TINY)
        self.encoder = Encoder.open(
            EncoderConfig(model=str(encoder), device=str(DEVICE)), cache=folder
        )

    def llm(self, batch_size: int, beams: int = 1) -> LanguageModel:
        decoding = Decoding(num_beams=beams, max_new_tokens=self.load.new_tokens)
        config = LLMConfig(
            model=self.name, dtype="bfloat16", batch_size=batch_size, decoding=decoding
        )
        return LanguageModel(self.model, self.tokenizer, config)

    def dataset(self, number: int) -> Dataset:
        """Queries of `load.tokens` tokens, with histories that eight users share."""
        words = self.load.tokens - (self.name in T5_SIZES)
        examples = []
        for i in range(number):
            text = make_text(words, i, self.vocabulary)
            items = [
                make_text(100, 1000 + (i % 8) * self.load.items + j, self.vocabulary)
                for j in range(self.load.items)
            ]
            history = tuple(Behavior(str(j), item, item, "w9 w8") for j, item in enumerate(items))
            examples.append(Example(f"q{i}", f"u{i}", text, text, text, history))
        golds = {e.id: make_text(15, 77 + i, self.vocabulary) for i, e in enumerate(examples)}
        return Dataset("LaMP-5", "train", tuple(examples), golds, "random")

    def measure_training(self, batch: int, micro_batch: int, steps: int, *, bf16: bool) -> None:
        train, clock, llm = self.dataset(batch * steps), Clock(), self.llm(batch)
        runtime = Runtime(
            TASKS.get("LaMP-5")(), Seeds.root("speed"), self.load.tokens, self.folder,
            self.folder / f"run-{bf16}", lambda: llm, lambda: self.encoder, progress=clock,
            processes=self.processes,
        )  # fmt: skip
        options = {"batch_size": batch, "micro_batch_size": micro_batch, "epochs": 1, "bf16": bf16}
        method = PPlug(PPlug.Config(training={**options, "evaluations": 1}), runtime)
        reset_peak()
        method.fit(train, None)
        if self.processes.number > 1:
            self.report_step(clock.median_step, batch, micro_batch, bf16=bf16)
            return
        peak, data = peak_gib(), method._training_data(train, augment=0)

        def run(rows: int) -> None:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
                nll, _ = data.nll(range(rows), 0)
            nll.sum().backward()

        # Counted on an eighth of the batch: attention that is written out takes more memory.
        eighth = max(1, batch // 8)
        flops = self.count_flops(lambda: run(eighth)) * batch / eighth
        second = clock.median_step
        report(
            llm=self.name, bf16_autocast=bf16, batch=batch, micro_batch=micro_batch, steps=steps,
            step_seconds=second, examples_per_second=batch / second, tflop_per_step=flops / 1e12,
            matmul_tflops=self.rate / 1e12, share_of_matmul_rate=flops / second / self.rate,
            peak_gib=peak,
        )  # fmt: skip
        if not bf16:
            self.profile(lambda: run(micro_batch))

    def report_step(self, second: float, batch: int, micro_batch: int, *, bf16: bool) -> None:
        """A step of several processes, as the main one saw it."""
        if self.processes.is_main:
            report(
                llm=self.name, bf16_autocast=bf16, batch=batch, micro_batch=micro_batch,
                processes=self.processes.number, step_seconds=second,
                examples_per_second=batch / second, peak_gib=peak_gib(),
            )  # fmt: skip

    def measure_llm_alone(self, rows: int) -> None:
        """Forward and backward pass through the frozen LLM to its soft tokens."""
        examples, llm = self.dataset(rows), self.llm(rows)
        prompts = [example.input for example in examples.examples]
        golds = [gold for _, gold in examples.pairs()]
        prefix = torch.randn(rows, 2, llm.hidden_size, device=DEVICE, requires_grad=True)

        def run(rows: int) -> None:
            nll, _ = llm.loss(
                prompts[:rows], golds[:rows], max_input_tokens=self.load.tokens,
                max_response_tokens=128, prefix=prefix[:rows],
            )  # fmt: skip
            nll.sum().backward()

        eighth = max(1, rows // 8)
        flops = self.count_flops(lambda: run(eighth)) * rows / eighth
        seconds = measure_seconds(lambda: run(rows))
        report(
            llm=self.name, llm_alone=True, rows=rows, seconds=seconds, tflop=flops / 1e12,
            share_of_matmul_rate=flops / seconds / self.rate,
        )  # fmt: skip

    def count_flops(self, work: Callable[[], object]) -> int:
        """FLOPs of `work`, with attention written out, since shared heads aren't counted else."""
        before = self.model.config._attn_implementation
        self.model.set_attn_implementation("eager")
        try:
            with FlopCounterMode(display=False) as counter:
                work()
        finally:
            self.model.set_attn_implementation(before)
        return counter.get_total_flops()

    def profile(self, work: Callable[[], object], shown: int = 20) -> None:
        """Print the kernels that take most time in one forward and backward pass."""
        activity = torch.profiler.ProfilerActivity
        on_gpu = DEVICE.type == "cuda"
        with torch.profiler.profile(activities=[activity.CPU, *[activity.CUDA] * on_gpu]) as found:
            work()
            synchronize()
        time_of = "self_device_time_total" if on_gpu else "self_cpu_time_total"
        events = [
            (getattr(event, time_of) / 1e3, event.count, event.key[:100])
            for event in found.key_averages()
            if not on_gpu or event.device_type.name == "CUDA"
        ]
        total = sum(ms for ms, *_ in events)
        largest = [
            {"ms": round(ms, 2), "share": round(ms / total, 3), "count": count, "kernel": name}
            for ms, count, name in sorted(events, reverse=True)[:shown]
        ]
        report(llm=self.name, kernel_ms=total, kernels=largest)

    def measure_generation(self, beams: int, batch: int, soft_tokens: int) -> None:
        prompts = [example.input for example in self.dataset(batch).examples]
        llm = self.llm(batch, beams)
        prefix = None
        if soft_tokens:
            prefix = torch.randn(batch, soft_tokens, llm.hidden_size)
            prefix *= llm.embedding_norm() / prefix.norm(dim=-1, keepdim=True)
        answers: list[Any] = []

        def generate() -> None:
            answers[:] = llm.generate(
                prompts, max_new_tokens=self.load.new_tokens, max_input_tokens=self.load.tokens,
                prefix=prefix,
            )  # fmt: skip

        reset_peak()
        seconds = measure_seconds(generate)
        report(
            llm=self.name, beams=beams, batch=batch, soft_tokens=soft_tokens,
            ms_per_query=1000 * seconds / batch, peak_gib=peak_gib(),
            new_tokens=sum(answer.new_tokens for answer in answers) / len(answers),
        )  # fmt: skip


def parse() -> argparse.Namespace:
    parser = size_parser(__doc__)
    parser.add_argument("--batch", type=int, default=64, help="examples of a training step")
    parser.add_argument("--micro-batch", type=int, help="examples at once; default: the batch")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--beams", type=int, nargs="*", default=[1, 4], help="none: no generation")
    given = parser.parse_args()
    if given.tiny:
        given.batch, given.steps = 4, 4
    return given


def main() -> None:
    given = parse()
    load = TINY if given.tiny else Load()
    with join() as processes, processes.united(), tempfile.TemporaryDirectory() as folder:
        bench = Bench(given.llm, load, Path(folder), processes)
        for bf16 in (False, True):
            bench.measure_training(
                given.batch, given.micro_batch or given.batch, given.steps, bf16=bf16
            )
        if processes.number > 1:
            return
        bench.measure_llm_alone(given.micro_batch or given.batch)
        for beams in given.beams:
            for batch in load.generation_batches:
                for soft_tokens in (0, 2):
                    bench.measure_generation(beams, batch, soft_tokens)


if __name__ == "__main__":
    main()
