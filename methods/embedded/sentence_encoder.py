"""The embedded sentence encoder: a small BERT that brings topics and tastes together."""

from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from methods.embedded.curriculum import HELD_OUT
from methods.embedded.steps import Schedule, train
from methods.models.padding import pad
from tasks.common.seeds import Seeds
from tasks.mini.drills import Pair
from tasks.mini.grammars import GRAMMARS
from tasks.mini.pretraining import positive_pairs

Kind = Literal["topic", "taste"]
KINDS: tuple[Kind, Kind] = ("topic", "taste")
TEMPERATURE = 0.05
MEASURED = 32
"""Held-out pairs a task and kind at each point of the log."""


def untrained(
    tokenizer: PreTrainedTokenizerFast, *, seed: int, width: int = 96, layers: int = 2
) -> BertModel:
    """A BERT of random weights, 4 heads, 512 positions; its own pooler is there and never used."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Seeds.root("embedded encoder", seed).seed("weights"))
        return BertModel(
            BertConfig(
                vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=layers,
                num_attention_heads=4, intermediate_size=2 * width, max_position_embeddings=512,
                hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0,
            )
        )  # fmt: skip


def teach(
    model: BertModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    checkpoint: Path,
    log: Path,
    learning_rate: float = 1e-3,
    measure_every: int = 100,
) -> None:
    """Contrastive training (InfoNCE, both ways, the batch's other pairs as negatives).

    A batch is of one task and one kind of pair, tasks and kinds in turn, so that a task's wording
    tells no pair from another. See `methods.embedded.steps.train`.
    """
    seeds = Seeds.root("embedded encoder", seed)

    @lru_cache(maxsize=1)
    def drawn(chunk: int) -> list[list[Pair]]:
        """A batch of each task, of one kind."""
        source = HELD_OUT + 1 + seeds.seed("chunk", chunk)
        return by_task(source, KINDS[chunk % len(KINDS)], batch_size)

    def loss(step: int) -> torch.Tensor:
        chunk, task = divmod(step, len(GRAMMARS))
        scores = similarities(model, tokenizer, drawn(chunk)[task]) / TEMPERATURE
        labels = torch.arange(len(scores), device=scores.device)
        return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2

    train(
        model,
        loss,
        Schedule(steps, learning_rate, measure_every=measure_every),
        name="encoder",
        identity={"batch_size": batch_size, "seed": seed},
        checkpoint=checkpoint,
        log=log,
        measure=lambda: {kind: separation(model, tokenizer, kind) for kind in KINDS},
    )


def by_task(source: int, kind: Kind, number: int) -> list[list[Pair]]:
    """`number` positive pairs of each task."""
    tasks = len(GRAMMARS)
    pairs = list(islice(positive_pairs(source, kind), number * tasks))
    return [pairs[task::tasks] for task in range(tasks)]


def similarities(
    model: BertModel, tokenizer: PreTrainedTokenizerFast, pairs: list[Pair]
) -> torch.Tensor:
    """Cosines of every first text with every second one: [B, B]."""
    texts = [text for side in zip(*pairs, strict=True) for text in side]
    ids, mask = pad(tokenizer(texts)["input_ids"], 0, device=model.device)
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[:, :, None].to(states)
    vectors = F.normalize((states * weights).sum(1) / weights.sum(1), dim=1)
    first, second = vectors.split(len(pairs))
    return first @ second.T


@torch.no_grad()
def separation(model: BertModel, tokenizer: PreTrainedTokenizerFast, kind: Kind) -> float:
    """How often a held-out pair is closer than its first text is to another pair's second one.

    Chance is .5. 1 can't be reached: other pairs may share the topic or the taste.
    """
    shares = []
    for pairs in by_task(HELD_OUT, kind, MEASURED):
        scores = similarities(model, tokenizer, pairs)
        own, others = scores.diagonal()[:, None], ~torch.eye(len(pairs), dtype=torch.bool)
        shares.append((own > scores).cpu()[others].float().mean().item())
    return sum(shares) / len(shares)


def save(model: BertModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write `folder` in sentence-transformers' layout: BERT, mean pooling, unit length."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import (
        Normalize,
        Pooling,
        Transformer,
    )  # fmt: skip

    with TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        transformer: Any = Transformer(temporary, max_seq_length=512)
        modules = [transformer, Pooling(model.config.hidden_size, "mean"), Normalize()]
        SentenceTransformer(modules=modules, device="cpu").save(str(folder))
