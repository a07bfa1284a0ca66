"""A LaMP-3 set in which only the user's history decides the answer, and models to answer it.

A user always gives the same score. Each text of the history contains two of the score's three marker
words and a word of noise, the scores in the history are random, and queries are pure noise. The
frozen LLM has learned to repeat a score at the start of its prompt; the encoder is random, but has a
token for each word.
"""

import json
import random

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from methods.models.config import LLMConfig, ScratchT5, TrainingConfig
from methods.models.language_model import LanguageModel
from methods.models.scratch import make_random_t5, train_tokenizer
from methods.models.training import TrainingData, train_module
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tasks.lamp import LaMP3

LABELS = LaMP3.labels
CHANCE = 1 / len(LABELS)
NOISE = [
    "river", "stone", "paper", "window", "garden", "music", "winter", "letter", "bridge", "market",
]  # fmt: skip
MARKERS = {
    label: [beginning + ending for ending in ("la", "mo", "ti")]
    for label, beginning in zip(LABELS, ("kor", "vel", "mip", "dux", "zan"), strict=True)
}
SEEN, UNSEEN = 320, 160
"""Users with a train query, and users without; each has a query in the dev set."""


def asked(draw):
    return f"{LaMP3.instruction} {' '.join(draw.sample(NOISE, 4))}"


def write_data(root):
    """The time split; question ids begin with "seen" or "unseen" for the user."""
    draw = random.Random(0)
    sets = {"train": ([], []), "dev": ([], [])}
    inputs = set()  # no query occurs twice
    for number in range(SEEN + UNSEEN):
        label, kind = LABELS[number % 5], "seen" if number < SEEN else "unseen"
        profile = [
            {
                "id": f"{number}-{item}",
                "text": " ".join([draw.choice(NOISE), *draw.sample(MARKERS[label], 2)]),
                "score": draw.choice(LABELS),
                "date": f"2020-01-{item + 1:02d}",
            }
            for item in range(draw.randint(3, 8))
        ]
        for set_name in ("train", "dev") if kind == "seen" else ("dev",):
            questions, golds = sets[set_name]
            while (input := asked(draw)) in inputs:
                pass
            inputs.add(input)
            id = f"{kind}-{set_name}-{number}"
            about = {"id": id, "user_id": f"u{number}", "date": "2021-01-01"}
            questions.append(about | {"input": input, "profile": profile})
            golds.append({"id": id, "output": label})
    for set_name, (questions, golds) in sets.items():
        folder = root / "time" / LaMP3.folder / set_name
        folder.mkdir(parents=True)
        (folder / f"{set_name}_questions.json").write_text(json.dumps(questions))
        (folder / f"{set_name}_outputs.json").write_text(
            json.dumps({"task": "LaMP_3", "golds": golds})
        )


WORDS = [*NOISE, *(word for words in MARKERS.values() for word in words)]


def write_encoder(folder, words=WORDS):
    """A random one-layer BERT with a token for each word."""
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    ids = {word: id for id, word in enumerate([*special.values(), *words])}
    vocabulary = Tokenizer(models.WordLevel(ids, unk_token=special["unk_token"]))
    vocabulary.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=vocabulary, **special)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(ids), hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=64, initializer_range=0.3,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_llm(folder):
    """Train a T5 to repeat the score at the start of its prompt; returns its last loss."""
    draw = random.Random(1)
    scores = [draw.choice(LABELS) for _ in range(640)]
    prompts = [f"{score} is the score . {asked(draw)}" for score in scores]
    tokenizer = train_tokenizer(iter(prompts), 400)
    shape = ScratchT5(d_model=64, d_ff=128, layers=1, decoder_layers=1, heads=4, dropout=0.0)
    llm = LanguageModel(
        make_random_t5(shape, len(tokenizer)), tokenizer, LLMConfig(model="in memory")
    )
    data = TrainingData(
        ids=[str(row) for row in range(len(prompts))],
        lengths=[1] * len(prompts),
        nll=lambda rows, _epoch: llm.loss(
            [prompts[row] for row in rows],
            [scores[row] for row in rows],
            max_input_tokens=200,
            max_response_tokens=3,
        ),
    )
    report = train_module(
        llm.model.requires_grad_(True),
        data,
        TrainingConfig(learning_rate=4e-3, epochs=24, batch_size=32, micro_batch_size=32),
        seeds=Seeds.root("marked users"),
        identity="says what it reads",
        checkpoint=folder.with_name("checkpoint"),
        progress=Progress(),
    )
    llm.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return report.curve[-1]["loss"]
