"""Users with histories of many lengths, and shortcuts to train their adapters."""

import torch

from methods.lora.layers import AdapterStack
from methods.lora.training import Lessons, train_together
from methods.models.config import LoraConfig, TrainingConfig
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tests.methods.models.builders import PROMPTS, llm

SIZES = (5, 2, 9, 1)
RESPONSES = ["the fox", "four", "over and over the river bank", "a"]
BUDGET = {"max_input_tokens": 20, "max_response_tokens": 8}
TARGETS = {
    "t5": ("q", "v"),
    "llama": ("q_proj", "v_proj", "down_proj"),
    "gpt2": ("c_attn", "mlp.c_proj"),
}


def exact(kind, **config):
    """An LLM in float64."""
    return llm(kind, double=True, device="cpu", **config)


def lora(kind, **options):
    return LoraConfig(
        **({"rank": 3, "alpha": 12, "dropout": 0.3, "targets": TARGETS[kind]} | options)
    )


def training(**options):
    return TrainingConfig(
        **{
            "learning_rate": 1e-2, "weight_decay": 0.1, "warmup_share": 0.2, "max_grad_norm": 0.5,
            "batch_size": 4, "epochs": 3, "micro_batch_size": 5,
        }
        | options
    )  # fmt: skip


def users(model, sizes=SIZES):
    """A user for each size; some users share prompts."""
    found = []
    for user, size in enumerate(sizes):
        prompts = [PROMPTS[(user + i) % len(PROMPTS)] for i in range(size)]
        lengths = [len(p.ids) for p in model.tokens.encode(prompts, BUDGET["max_input_tokens"])]
        found.append(
            Lessons(
                user=f"user {user}",
                key=f"key {user}",
                seeds=Seeds.root("test", user),
                prompts=prompts,
                responses=[RESPONSES[(user * i) % 4] for i in range(size)],
                lengths=lengths,
            )
        )
    return found


def together(model, who, shape, config, folder, progress=None):
    return train_together(
        model, who, shape, config, checkpoints=folder, progress=progress or Progress(), **BUDGET
    )


def fill_stack(model, kind, count, **options):
    """Adapters strong enough to change answers; the last one is zero."""
    stack = AdapterStack(model, lora(kind, **options), count).eval()
    random = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in stack.parameters():
            weight[:-1] = torch.randn(weight[:-1].shape, generator=random, dtype=weight.dtype)
    return stack
