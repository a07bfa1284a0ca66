"""Examples in one line, and an LLM and an encoder with predictable answers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from methods.core.runtime import Runtime
from methods.models.config import LLMConfig
from tasks import TASKS, Behavior, Dataset, Example
from tasks.common.seeds import Seeds


def behavior(id, text="", response=None, date=None):
    return Behavior(id=id, text=text, content=text, response=response, date=date)


def example(id="q", query="", history=(), input=None):
    return Example(
        id=id,
        user_id=id,
        input=f"input {query}" if input is None else input,
        query=query,
        subject=query,
        history=tuple(history),
    )


def split(golds, examples=None, set="train"):
    examples = [example(id) for id in golds] if examples is None else examples
    return Dataset("any", set, tuple(examples), golds, "fingerprint")


class WordTokens:
    def count(self, text):
        return len(text.split())

    def truncate(self, text, tokens):
        return " ".join(text.split()[: max(0, tokens)])


@dataclass(frozen=True)
class Said:
    text: str
    prompt_tokens: int
    truncated_tokens: int
    new_tokens: int
    error: str | None = None
    note: str | None = None


class EchoLLM:
    """Answers each prompt with itself; every prompt has two special tokens."""

    name = "echo"
    config = LLMConfig(model="echo")
    tokens = WordTokens()
    prompt_overhead = 2

    def __init__(self):
        self.calls = []

    def generate(self, prompts, *, max_new_tokens, max_input_tokens, prefix=None):
        self.calls.append((list(prompts), max_new_tokens, max_input_tokens, prefix))
        return [Said(prompt, len(prompt.split()), 0, 1) for prompt in prompts]


class LetterEncoder:
    """Counts of the letters a, b and c; a query's prefix is counted too."""

    identity = "letters"
    dimension = 3

    def __init__(self, query_prefix=""):
        self.query_prefix, self.calls = query_prefix, []

    def text(self, text, side):
        return self.query_prefix + text if side == "query" else text

    def encode(self, texts, *, side):
        read = [self.text(text, side) for text in texts]
        self.calls.append(read)
        return np.array([[text.count(c) for c in "abc"] for text in read], np.float32).reshape(
            -1, 3
        )


def runtime(folder: Path, task="LaMP-3", *, llm=None, encoder=None, max_input_tokens=100):
    return Runtime(
        task=TASKS.get(task)(),
        seeds=Seeds.root("test", task),
        max_input_tokens=max_input_tokens,
        cache=folder / "cache",
        scratch=folder / "scratch",
        open_llm=None if llm is None else lambda: llm,
        open_encoder=None if encoder is None else lambda: encoder,
    )


def build(method, folder, config=None, **surroundings):
    return method(method.Config(**(config or {})), runtime(folder, **surroundings))
