"""Users a minute, trained together and one by one, in one run; memory that a user more takes.

On LaMP-mini's users and the embedded LLM, the best of three runs each, in CPU seconds. The bound is what the same
lessons take with one adapter for all of them, in batches of 64: nothing that trains each user's own adapter on all of
its lessons can take less. Prints; fails only where training together is no faster.
`python -m pytest tests/perf/test_user_lora.py -s`.
"""

import time
from pathlib import Path
from statistics import fmean

import pytest
import torch

from bench.settings import load_settings
from methods.core.runtime import Runtime
from methods.lora.layers import AdapterStack
from methods.lora.training import train_together
from methods.models.opening import load_llm
from methods.user_lora import UserLora
from tasks import TASKS
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tasks.data.loading import load_dataset
from tasks.mini.world import WorldConfig, write_world

USERS = 24
LORA = load_settings().methods["oppu"]["lora"]


@pytest.mark.parametrize("batch_size", [2, 4, 16])
@pytest.mark.parametrize("task_name", ["LaMP-3", "LaMP-7"])
def test_users_a_minute_together_against_one_by_one(
    tmp_path: Path, task_name: str, batch_size: int
) -> None:
    torch.set_num_threads(1)  # threads that wait for each other count as CPU seconds
    task = TASKS.get(task_name)()
    write_world(tmp_path / "data", WorldConfig(users=USERS, cold_share=0), tasks=[task_name])
    split = load_dataset(task, tmp_path / "data", split="user", set="train")
    llm = load_llm("package:methods/embedded/weights/llm", cache=tmp_path)
    runtime = Runtime(task, Seeds.root("perf"), 256, tmp_path, tmp_path, lambda: llm)
    config = UserLora.Config(lora=LORA, training={"batch_size": batch_size, "epochs": 1})
    method = UserLora(config, runtime)
    users = {e.user_id: e for e in split.examples}
    lessons = [method._lessons(id, e) for id, e in list(users.items())[:USERS]]
    sizes = [len(one.prompts) for one in lessons]

    def trained(users_at_once: int) -> float:
        start = time.process_time()
        for first in range(0, len(lessons), users_at_once):
            train_together(
                llm, lessons[first : first + users_at_once], config.lora, config.training,
                max_input_tokens=256, max_response_tokens=16, checkpoints=tmp_path / "training",
                progress=Progress(),
            )  # fmt: skip
        return time.process_time() - start

    def passed() -> float:
        """Forward and backward passes of all lessons with one adapter, sorted by length."""
        rows = sorted(
            (-one.lengths[i], one.prompts[i], one.responses[i])
            for one in lessons
            for i in range(len(one.prompts))
        )
        stack = AdapterStack(llm.local, config.lora)
        start = time.process_time()
        with stack.attached():
            for first in range(0, len(rows), 64):
                _, prompts, responses = zip(*rows[first : first + 64], strict=True)
                budgets = {"max_input_tokens": 256, "max_response_tokens": 16}
                nll, _ = llm.local.loss(prompts, responses, **budgets)
                nll.sum().backward()
        return time.process_time() - start

    trained(USERS)  # warm
    each = AdapterStack(llm, config.lora).parameters_each
    together, alone = (min(trained(at_once) for _ in range(3)) for at_once in (USERS, 1))
    bound = min(passed() for _ in range(3))
    print(
        f"\n{task_name}, {len(lessons)} users of {fmean(sizes):.0f} items, batch {batch_size}, "
        f"{torch.get_num_threads()} threads: {60 * USERS / together:.0f} users/minute together, "
        f"{60 * USERS / alone:.0f} one by one: {alone / together:.1f} × "
        f"(at most {alone / bound:.1f} × at the cost of one adapter's passes); "
        f"a user more takes {16 * each / 1024:.0f} KiB (weights, gradients, two moments)"
    )
    assert alone > together
