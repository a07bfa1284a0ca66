"""Users with histories of several lengths, and LoRA methods small enough to train on them."""

import dataclasses

from methods.user_lora import UserLora
from tests.methods.helpers import behavior, build, example, split
from tests.methods.models.builders import PROMPTS

TEXTS = ["the quick brown fox", "dog near the river", "many short texts", "a model reads"]
SHARP = {
    "lora": {"rank": 4, "alpha": 16, "dropout": 0.1},
    "training": {
        "learning_rate": 0.1, "epochs": 2, "batch_size": 2, "max_grad_norm": 10.0,
        "checkpoint_minutes": 1e-9,
    },
    "max_response_tokens": 4,
}  # fmt: skip
ADAPTED = {"task_adaptation": {"lora": {"rank": 2, "alpha": 4, "targets": ["q", "k", "v"]},
                               "training": {"learning_rate": 0.05, "batch_size": 2}}}  # fmt: skip


def make_user(number, size, user=None):
    """An example with `size` items, whose dates fall along the file: the last is the oldest."""
    items = [
        behavior(f"b{i}", TEXTS[(number + i) % 4], str(1 + (number + i) % 5), f"2020-01-0{9 - i}")
        for i in range(size)
    ]
    found = example(str(number), TEXTS[number % 4], items, input=PROMPTS[number % 7])
    return dataclasses.replace(found, user_id=user or f"user {number}")


EXAMPLES = [
    make_user(0, 3),
    make_user(1, 0),
    make_user(2, 5),
    make_user(3, 1),
    make_user(4, 4),
    make_user(5, 2),
]
TRAIN = split({str(n): str(1 + n % 5) for n in range(6)}, examples=EXAMPLES)


def build_method(folder, model, cls=UserLora, **config):
    return build(cls, folder, SHARP | config, llm=model)
