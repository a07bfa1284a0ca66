"""A LaMP-3 set in which it is known which behaviours help the LLM.

The LLM repeats the score at the start of its prompt, which is that of the first behaviour. A useful
behaviour has the user's own score; all others have another one. Useful behaviours have a marker word
in their text, but others share words with the query, so similarity misleads.
"""

import random

from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from tests.methods.helpers import EchoLLM, Said, behavior, example, split
from tests.methods.marked_users import LABELS, MARKERS, NOISE, asked, write_encoder

USEFUL = MARKERS["1"]
"""Marker words of useful behaviours; here they don't stand for a score of 1."""
OTHERS = [word for label in LABELS[1:] for word in MARKERS[label]]
HISTORY, HELPFUL = 8, 2
"""Number of a user's behaviours, and of the useful ones."""


def users(first, count):
    """A dataset with one query per user; users are numbered from `first`."""
    examples, golds = [], {}
    for number in range(first, first + count):
        draw = random.Random(number)
        label, input = draw.choice(LABELS), asked(draw)
        words = input.split()[-4:]
        history = [_item(draw, place, label, words) for place in range(HISTORY)]
        draw.shuffle(history)
        examples.append(example(f"u{number}", " ".join(words), history, input))
        golds[f"u{number}"] = label
    return split(golds, examples)


def _item(draw, place, label, query):
    if place < HELPFUL:
        words = [draw.choice(USEFUL), *draw.sample(NOISE, 2)]
        return behavior(f"useful-{place}", " ".join(words), label)
    words = [draw.choice(OTHERS), *draw.sample(query, 2)]
    other = draw.choice([score for score in LABELS if score != label])
    return behavior(f"other-{place}", " ".join(words), other)


def hit_rate(predictions):
    """The share of prompts that contain a useful behaviour."""
    hits = [any(id.startswith("useful") for id in p.behaviors) for p in predictions]
    return sum(hits) / len(hits)


class FirstScore(EchoLLM):
    """Answers with its prompt's first word, so with the first behaviour's score."""

    identity = weights = "gives the score that its prompt begins with"
    name = "first score"

    def __init__(self):
        super().__init__()
        self.asked = []

    def generate(self, prompts, *, max_new_tokens, max_input_tokens, prefix=None):
        self.asked += prompts
        return [Said(prompt.split()[0], len(prompt.split()), 0, 1) for prompt in prompts]


def word_encoder(folder):
    """A random encoder with a token for each word, so that only equal words are similar."""
    if not folder.exists():
        write_encoder(folder)
    return Encoder.open(EncoderConfig(model=str(folder), device="cpu"), cache=folder.parent)
