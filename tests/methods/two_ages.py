"""A LaMP-3 set in which the query's words decide which retriever's prompt has the answer.

Each user has scored one old record and one new one. The answer to a query about classics is the old
item's score, and to one about releases the new item's. The LLM repeats the score at the start of its
prompt. So for each query one of two retrievers is right, both equally often, and a prompt without a
history never is.
"""

import random

from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.prompt.method import RetrievalMethod
from methods.retrieval import Retriever
from tasks.example import newest_first
from tasks.lamp import LaMP3
from tests.methods.helpers import EchoLLM, Said, behavior, example, split
from tests.methods.marked_users import NOISE, write_encoder

OLD, NEW = ["vinyl", "gramophone"], ["stream", "download"]
CLASSIC, RELEASE = ["classic", "revival"], ["release", "premiere"]
POOL = {
    "none": {"method": "zero-shot"},
    "recency": {"method": "recency", "options": {"k": 1}},
    "oldest": {"method": f"{__name__}:Oldest", "options": {"k": 1}},
}


class OldestFirst(Retriever):
    """The opposite of recency."""

    def rank(self, example):
        return newest_first(example.history)[::-1]


class Oldest(RetrievalMethod):
    """The user's oldest behaviours in the prompt."""

    name = "oldest"

    def open_retriever(self):
        return OldestFirst()


class FirstScoreLLM(EchoLLM):
    """Answers with the score at the start of its prompt, or 3."""

    identity = "says the first score"

    def generate(self, prompts, **budgets):
        said = super().generate(prompts, **budgets)
        answers = [p.split()[0] if p.split()[0] in LaMP3.labels else "3" for p in prompts]
        return [Said(a, s.prompt_tokens, 0, 1) for a, s in zip(answers, said, strict=True)]


def users(count, *, first=0):
    """A dataset of `count` users, one query each; half of them about classics."""
    examples, golds = [], {}
    for number in range(first, first + count):
        draw = random.Random(number)
        old, new = draw.sample(["1", "2", "4", "5"], 2)
        classic = number % 2 == 0
        id = str(number)
        history = [
            behavior(f"{id}-old", _between_noise(draw, OLD), old, "2001-01-01"),
            behavior(f"{id}-new", _between_noise(draw, NEW), new, "2020-01-01"),
        ]
        query = _between_noise(draw, CLASSIC if classic else RELEASE)
        examples.append(example(id, query, history, input=f"{LaMP3.instruction} {query}"))
        golds[id] = old if classic else new
    return split(golds, examples=examples)


def _between_noise(draw, words):
    """A word between noise, because the item prompt's quotation marks merge with outer words."""
    return f"{draw.choice(NOISE)} {draw.choice(words)} {draw.choice(NOISE)}"


def encoder(folder):
    """A random encoder with a token for each word of the dataset."""
    if not folder.exists():
        write_encoder(folder, [*OLD, *NEW, *CLASSIC, *RELEASE, *NOISE, *LaMP3.labels])
    return Encoder.open(EncoderConfig(model=str(folder), device="cpu"), cache=folder.parent)
