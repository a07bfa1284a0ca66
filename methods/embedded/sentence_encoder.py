"""The embedded sentence encoder: a small BERT trained to group texts by topic and taste."""

from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from methods.embedded.curriculum import HELD_OUT
from methods.embedded.steps import Schedule, train
from methods.models.padding import pad
from tasks.common.seeds import Seeds
from tasks.mini.drills import Pair
from tasks.mini.grammars import GRAMMARS
from tasks.mini.pretraining import Relation, positive_pairs

RELATIONS: tuple[Relation, Relation] = ("topic", "taste")
TEMPERATURE = 0.05
MEASURED = 32
"""Number of held-out pairs per task and relation that each entry of the log is measured on."""


def build_model(
    tokenizer: PreTrainedTokenizerFast, *, seed: int, width: int = 96, layers: int = 2
) -> BertModel:
    """Build a BERT with random weights, 4 heads and 512 positions; its pooler is never used."""
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
    """Train contrastively: symmetric InfoNCE with the batch's other pairs as negatives.

    Each batch has one task and one relation, so that a task's wording can't distinguish pairs;
    tasks and relations alternate. See `methods.embedded.steps.train`.
    """
    seeds = Seeds.root("embedded encoder", seed)

    @lru_cache(maxsize=1)
    def draw_chunk(chunk: int) -> list[list[Pair]]:
        """One batch per task, all of the same relation."""
        source = HELD_OUT + 1 + seeds.seed("chunk", chunk)
        return draw_by_task(source, RELATIONS[chunk % len(RELATIONS)], batch_size)

    def loss(step: int) -> torch.Tensor:
        chunk, task = divmod(step, len(GRAMMARS))
        scores = cosine_similarities(model, tokenizer, draw_chunk(chunk)[task]) / TEMPERATURE
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
        measure=lambda: {
            relation: measure_separation(model, tokenizer, relation) for relation in RELATIONS
        },
    )


def draw_by_task(source: int, relation: Relation, number: int) -> list[list[Pair]]:
    """Draw `number` positive pairs for each task."""
    tasks = len(GRAMMARS)
    pairs = list(islice(positive_pairs(source, relation), number * tasks))
    return [pairs[task::tasks] for task in range(tasks)]


def cosine_similarities(
    model: BertModel, tokenizer: PreTrainedTokenizerFast, pairs: list[Pair]
) -> torch.Tensor:
    """Cosine similarities [B, B] of all first texts (rows) with all second texts (columns)."""
    texts = [text for side in zip(*pairs, strict=True) for text in side]
    ids, mask = pad(tokenizer(texts)["input_ids"], 0, device=model.device)
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[:, :, None].to(states)
    vectors = F.normalize((states * weights).sum(1) / weights.sum(1), dim=1)
    first, second = vectors.split(len(pairs))
    return first @ second.T


@torch.no_grad()
def measure_separation(
    model: BertModel, tokenizer: PreTrainedTokenizerFast, relation: Relation
) -> float:
    """How often a first text is closer to its own second text than to that of another pair.

    Measured on held-out pairs. Chance is .5; 1 is out of reach, because other pairs may share the
    topic or the taste.
    """
    shares = []
    for pairs in draw_by_task(HELD_OUT, relation, MEASURED):
        scores = cosine_similarities(model, tokenizer, pairs)
        own, others = scores.diagonal()[:, None], ~torch.eye(len(pairs), dtype=torch.bool)
        shares.append((own > scores).cpu()[others].float().mean().item())
    return sum(shares) / len(shares)


def save(model: BertModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Save to `folder` in sentence-transformers' layout: BERT, mean pooling, normalization."""
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
