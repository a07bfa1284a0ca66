"""Turns a user's acts into behaviours, examples and prompts for pretraining."""

import random
from collections.abc import Iterable, Sequence

from tasks.example import Behavior, Example
from tasks.mini.lexicon import ASK_TASTE
from tasks.mini.life import Act, Life

MAX_WORDS = 400
"""The longest pretraining prompt, in words; long enough that no item is truncated."""


class WordTokenizer:
    """A `tasks.Tokenizer` that splits at spaces, used before the LLM's own tokenizer exists."""

    def count(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[: max(tokens, 0)])


def behavior(life: Life, act: Act, number: int) -> Behavior:
    """The act as a behaviour in the user's history, with `number` as its id."""
    item = life.grammar.item(act.content, act.answer)
    return life.grammar.task.behavior({"id": str(number), **item})


def example(life: Life, act: Act, history: tuple[Behavior, ...]) -> Example:
    """The act as a query after `history`."""
    task, input = life.grammar.task, life.grammar.input(act.content)
    return Example("query", "user", input, task.query(input), task.subject(input), history)


def profile_prompt(life: Life, act: Act, shown: Sequence[Behavior], max_words: int) -> str:
    """The official profile prompt of the act, at most `max_words` words long."""
    asked = example(life, act, tuple(shown))
    return life.grammar.task.personalized_prompt(asked, shown, WordTokenizer(), max_words)


def list_abridged(life: Life, shown: Iterable[tuple[Act, str]]) -> str:
    """List acts with their answers, abridged to what reveals the taste."""
    items = (life.grammar.abridge(act.content, answer) for act, answer in shown)
    return f"i say {' , '.join(items)} ."


def ask_taste(life: Life, act: Act, prompt: str) -> tuple[str, str]:
    """(ASK_TASTE and the prompt, the part of the taste that decides on the act in words)."""
    same_wording = random.Random(0)
    return f"{ASK_TASTE} {prompt}", life.grammar.state_taste(same_wording, act.content, act.taste)
