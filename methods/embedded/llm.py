"""The embedded LLM: a small T5 trained on LaMP-mini's language, lesson by lesson."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

from methods.embedded.curriculum import Lesson, LessonBatches, PairBatch, draw_held_out
from methods.embedded.steps import Schedule, train
from methods.embedded.vocabulary import find_capitalised
from methods.models.padding import IGNORED, pad
from tasks.common.seeds import Seeds
from tasks.mini.drills import Pair
from tasks.mini.lexicon import SCHOOLS, TOPICS, nouns

MEASURED = 40
"""Number of held-out pairs per task that each entry of the log is measured on."""
LONGEST_ANSWER = 32
HEADS = 4
STRONG, NEAR = 4.0, 0.4
"""Attention logits: for the one token a head attends to, and the decrease per distance bucket."""


def build_model(
    tokenizer: PreTrainedTokenizerFast,
    *,
    seed: int,
    d_model: int = 128,
    d_ff: int = 384,
    layers: int = 4,
    decoder_layers: int = 2,
) -> T5ForConditionalGeneration:
    """Build a T5 with random weights, except for structure that Adam would need many steps to find.

    The embedding of a capitalised word starts as its lower-case form plus a shared vector. Of the 4
    heads in each layer, the first starts by attending to the previous token, the second (in the
    encoder) to the next token, and the third to nearby tokens. Cross-attention starts by copying:
    the decoder outputs what it attends to.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Seeds.root("embedded LLM", seed).seed("weights"))
        model = T5ForConditionalGeneration(
            T5Config(
                vocab_size=len(tokenizer), d_model=d_model, d_kv=d_model // HEADS, d_ff=d_ff,
                num_layers=layers, num_decoder_layers=decoder_layers, num_heads=HEADS,
                feed_forward_proj="gated-relu", dropout_rate=0.0, pad_token_id=0, eos_token_id=1,
                decoder_start_token_id=0, tie_word_embeddings=True,
            )
        )  # fmt: skip
        capital = torch.randn(d_model)
        rotation = torch.nn.init.orthogonal_(torch.empty(d_model, d_model))
    if pairs := find_capitalised(tokenizer):
        upper, lower = (list(ids) for ids in zip(*pairs, strict=True))
        with torch.no_grad():
            model.shared.weight[upper] = model.shared.weight[lower] + capital
    for stack in (model.encoder, model.decoder):
        _bias_heads(stack.block[0].layer[0].SelfAttention)
    with torch.no_grad():
        for block in model.decoder.block:
            cross_attention = block.layer[1].EncDecAttention
            cross_attention.v.weight.copy_(rotation)
            cross_attention.o.weight.copy_(rotation.T)
    return model


def _bias_heads(attention: T5Attention) -> None:
    """Initialize the relative position biases, which all layers of a stack share."""
    biases = attention.relative_attention_bias.weight  # [buckets, heads]
    behind = torch.arange(len(biases))
    if not attention.is_decoder:  # the second half of the buckets lies ahead
        behind = behind % (len(biases) // 2)
    with torch.no_grad():
        biases[1, 0] = STRONG
        if not attention.is_decoder:
            biases[1 + len(biases) // 2, 1] = STRONG
        biases[:, 2] = -NEAR * behind


@torch.no_grad()
def gather(
    model: T5ForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, *, seed: int
) -> None:
    """Move the embeddings of a topic's nouns together, and those of a school's tools.

    To all embeddings of such a group, the same random vector is added, scaled to their mean norm.
    Words of a group then resemble each other, as they do in a model pretrained on much text; from
    answers alone, the model would have to learn every pair of them. Words of several tokens are
    left out.
    """
    generator = torch.Generator().manual_seed(seed)
    embeddings = model.get_input_embeddings().weight
    for words in [*map(nouns, TOPICS), *map(list, SCHOOLS.values())]:
        tokens = tokenizer(words, add_special_tokens=False)["input_ids"]
        ids = [word[0] for word in tokens if len(word) == 1]
        shared = torch.randn(embeddings.shape[1], generator=generator).to(embeddings)
        embeddings[ids] += shared / shared.norm() * embeddings[ids].norm(dim=1).mean()


def teach(
    model: T5ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    *,
    seed: int,
    before: Sequence[Lesson] = (),
    checkpoint: Path,
    log: Path,
    measure_every: int = 100,
) -> None:
    """Train one lesson, see `methods.embedded.steps.train`.

    All pairs have the same weight, regardless of the length of their outputs. The log reports the
    exact-match rate on held-out pairs by task.

    Args:
        before: the lessons trained before this one.
    """
    if lesson.gathered:
        gather(model, tokenizer, seed=seed)
    batches = LessonBatches(lesson, seed, tokenizer)
    held_out = draw_held_out(lesson.stage, MEASURED)

    def loss(step: int) -> torch.Tensor:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=lesson.bf16):
            return compute_loss(model, batches.batch(step))

    train(
        model,
        loss,
        Schedule(lesson.steps, lesson.learning_rate, measure_every=measure_every),
        name=lesson.name,
        identity=asdict(lesson) | {"seed": seed, "before": [asdict(one) for one in before]},
        checkpoint=checkpoint,
        log=log,
        measure=lambda: exact_match(model, tokenizer, held_out),
    )


def compute_loss(model: T5ForConditionalGeneration, batch: PairBatch) -> torch.Tensor:
    """Mean over the batch of each output's mean NLL per token, in nats; a scalar."""
    ids, mask = pad(batch.inputs, 0, device=model.device)
    labels, _ = pad(batch.outputs, IGNORED, device=model.device)
    starts = model.prepare_decoder_input_ids_from_labels(labels=labels)
    logits = model(
        input_ids=ids, attention_mask=mask, decoder_input_ids=starts, use_cache=False
    ).logits
    nll = F.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), reduction="none", ignore_index=IGNORED
    ).view_as(labels)
    return (nll.sum(1) / (labels != IGNORED).sum(1)).mean()


@torch.no_grad()
def exact_match(
    model: T5ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Mapping[str, Sequence[Pair]],
) -> dict[str, float]:
    """Task → fraction of its pairs answered exactly by greedy decoding."""
    asked = [(task, *pair) for task, of_task in pairs.items() for pair in of_task]
    encoded: Any = tokenizer([input for _, input, _ in asked], padding=True, return_tensors="pt")
    generated = model.generate(
        input_ids=encoded["input_ids"].to(model.device),
        attention_mask=encoded["attention_mask"].to(model.device),
        max_new_tokens=LONGEST_ANSWER,
        num_beams=1,
        do_sample=False,
    )
    answers = [text.strip() for text in tokenizer.batch_decode(generated, skip_special_tokens=True)]
    correct = [
        task for answer, (task, _, output) in zip(answers, asked, strict=True) if answer == output
    ]
    return {task: correct.count(task) / len(of_task) for task, of_task in pairs.items()}
