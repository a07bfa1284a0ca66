"""Answers by the likelihood of labels: a prompt read once against once a label, in one run.

On LaMP-mini's queries and the embedded LLM; `python -m pytest tests/perf/test_likelihood.py -s`.
With --llm of `python -m tests.perf.test_likelihood`, on any other: a folder, or "package:…".
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from methods.models.language_model import LanguageModel
from methods.models.opening import load_llm
from tasks import TASKS
from tasks.data.loading import load_dataset
from tasks.mini.world import WorldConfig, write_world

EMBEDDED = "package:methods/embedded/weights/llm"


@pytest.mark.parametrize("task_name", ["LaMP-2", "LaMP-3"])
def test_prompts_read_once_against_once_a_label(tmp_path: Path, task_name: str) -> None:
    torch.set_num_threads(1)  # threads that wait for each other count as CPU seconds
    llm = load_llm(EMBEDDED, cache=tmp_path, decoding={"num_beams": 1}).local
    assert measure(llm, task_name, tmp_path / "data", queries=16, repeats=3) > 1


def measure(llm: LanguageModel, task_name: str, data: Path, *, queries: int, repeats: int) -> float:
    """How many times faster; prints it, next to greedy generation. CPU seconds, the least of some."""
    task = TASKS.get(task_name)()
    write_world(data, WorldConfig(users=queries // 2, cold_share=0), tasks=[task_name])
    split = load_dataset(task, data, split="user", set="train")
    prompts = [
        task.personalized_prompt(e, e.history[-4:], llm.tokens, 256 - llm.prompt_overhead)
        for e in split.examples[:queries]
    ]

    def choose(share: bool) -> torch.Tensor:
        llm._shares = share
        return llm.label_likelihoods(prompts, task.labels, max_input_tokens=256)

    def generate() -> None:
        llm.generate(prompts, max_new_tokens=task.max_new_tokens, max_input_tokens=256)

    assert llm._shares_prompts()
    torch.testing.assert_close(choose(True), choose(False), rtol=1e-4, atol=1e-3)
    apart, once, written = (
        seconds(work, repeats) for work in (lambda: choose(False), lambda: choose(True), generate)
    )
    each = 1000 / len(prompts)
    print(
        f"\n{task_name}, {len(task.labels)} labels, {len(prompts)} prompts: {apart / once:.1f} × "
        f"({each * apart:.1f} ms a query with a prompt a label → {each * once:.1f} ms with one; "
        f"generation with {llm.config.decoding.num_beams} beams {each * written:.1f} ms)"
    )
    return apart / once


def seconds(work: Callable[[], object], repeats: int) -> float:
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llm", default=EMBEDDED)
    parser.add_argument("--chat-template", action="store_true")
    parser.add_argument("--queries", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        llm = load_llm(
            given.llm, cache=Path(folder), chat_template=given.chat_template,
            decoding={"num_beams": 1},
        ).local  # fmt: skip
        for task_name in ("LaMP-2", "LaMP-3"):
            measure(llm, task_name, Path(folder, task_name), queries=given.queries, repeats=1)


if __name__ == "__main__":
    main()
