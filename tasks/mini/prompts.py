"""A user's acts as items of a history and as queries, and the prompts of both."""

import random
from collections.abc import Iterable, Sequence

from tasks.example import Behavior, Example
from tasks.mini.lexicon import ASK_TASTE
from tasks.mini.life import Act, Life

MAX_WORDS = 400
"""Of a pretraining prompt: no item is cut."""


class Words:
    """A `tasks.Tokenizer` whose tokens are what spaces separate: an LLM's is not yet made."""

    def count(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[: max(tokens, 0)])


def behavior(life: Life, act: Act, number: int) -> Behavior:
    """The act as an item of the user's history, whose id is the number."""
    item = life.grammar.item(act.content, act.answer)
    return life.grammar.task.behavior({"id": str(number), **item})


def example(life: Life, act: Act, history: tuple[Behavior, ...]) -> Example:
    """The act as a query after that history."""
    task, input = life.grammar.task, life.grammar.input(act.content)
    return Example("query", "user", input, task.query(input), task.subject(input), history)


def profile_prompt(life: Life, act: Act, shown: Sequence[Behavior], max_words: int) -> str:
    """The official prompt of the act after items of the history, cut to so many words."""
    asked = example(life, act, tuple(shown))
    return life.grammar.task.personalized_prompt(asked, shown, Words(), max_words)


def in_brief(life: Life, shown: Iterable[tuple[Act, str]]) -> str:
    """Acts and what was answered, cut to what tells the taste."""
    items = (life.grammar.brief(act.content, answer) for act, answer in shown)
    return f"i say {' , '.join(items)} ."


def explained(life: Life, act: Act, prompt: str) -> tuple[str, str]:
    """The prompt after ASK_TASTE, and the taste in words as far as the act shows it."""
    same_wording = random.Random(0)
    return f"{ASK_TASTE} {prompt}", life.grammar.stated(same_wording, act.content, act.taste)
