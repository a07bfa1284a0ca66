"""Queries and histories for plugs that are opened outside the harness, and what they answer."""

import torch

from methods.models.config import Decoding, EncoderConfig
from methods.models.encoder import Encoder
from methods.models.opening import load_llm
from tasks import TASKS, Behavior, Dataset, Example

TEXTS = ["Broke at once, want my money back", "A joy every day!!", "meh", "Too small for me"]
OTHERS = ["Best pen I ever had", "Ink of a depth that I had not seen before", "Nib like silk"]
HALF = 2.0**-11
"""Relative rounding of float16."""


def prompt(review):
    return f"{TASKS.get('LaMP-3').instruction} {review}"


PROMPTS = [prompt(text) for text in ("Fine.", "It squeaks and then it stops", "Would buy again")]


def open_llm(folder):
    return load_llm(str(folder), device="cpu", decoding=Decoding(num_beams=2, max_new_tokens=6))


def open_encoder(folder, cache):
    return Encoder.open(EncoderConfig(model=str(folder), device="cpu"), cache=cache)


def asked(input, texts, id="1"):
    task = TASKS.get("LaMP-3")()
    history = tuple(Behavior(str(i), text, text) for i, text in enumerate(texts))
    return Example(id, id, input, task.query(input), task.subject(input), history)


TRAIN = Dataset(
    "LaMP-3",
    "train",
    (asked(PROMPTS[0], TEXTS), asked(PROMPTS[1], OTHERS, id="2")),
    {"1": "4", "2": "1"},
    "f",
)


def prefixes(plug, history, monkeypatch):
    """The soft tokens that stand before each of PROMPTS when `plug` responds."""
    seen = []
    generate = plug.method.runtime.llm.generate

    def recorded(prompts, *, prefix, **limits):
        seen.append(prefix)
        return generate(prompts, prefix=prefix, **limits)

    with monkeypatch.context() as patch:
        patch.setattr(plug.method.runtime.llm, "generate", recorded)
        answers = [plug.respond(input, history) for input in PROMPTS]
    return torch.cat(seen), answers
