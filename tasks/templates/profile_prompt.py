"""The official profile prompt: items cut to a token budget, joined, put before the input.

Source: LaMP's released prompt code (`LaMP/prompts/prompts.py`, `create_prompt_generator`).
Lengths here are text tokens. The official code counts each tokenizer call's special token too, so
it leaves its texts a token or two shorter at the same limit.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from tasks.example import Behavior
from tasks.task import Tokenizer

INPUT_SHARES = (0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
"""Largest shares of the limit that the input may reserve, tried in this order."""


class Item(Protocol):
    """One behaviour as an item prompt whose content is given: `item(behavior, content)`."""

    def __call__(self, behavior: Behavior, content: str) -> str: ...


def cut_item(
    item: Item, behavior: Behavior, tokens: int | None, tokenizer: Tokenizer
) -> tuple[str, int]:
    """The item prompt with its content cut so that the whole takes at most `tokens` tokens.

    Labels and titles are never cut. Returns the prompt and the tokens it left unused (0 where
    `tokens` is None: nothing is cut).

    Raises:
        ValueError: the item takes more than `tokens` even without any content.
    """
    if tokens is None:
        return item(behavior, behavior.content), 0
    room = tokens - tokenizer.count(item(behavior, " "))
    if room < 0:
        raise ValueError(f"an item prompt doesn't fit into {tokens} tokens without its content")
    used = tokenizer.count(behavior.content)
    content = behavior.content
    if used > room:
        content = tokenizer.truncate(content, room)
        used = tokenizer.count(content)
    return item(behavior, content), max(room - used, 0)


def cut_items(
    item: Item, behaviors: Sequence[Behavior], tokens: int, tokenizer: Tokenizer
) -> list[str]:
    """Item prompts of together at most about `tokens` tokens, two a joint counted in.

    Each gets an equal share; what one leaves unused rolls over to those after it. Raises ValueError
    as `cut_item` does.
    """
    share = (tokens - 2 * (len(behaviors) - 1)) // len(behaviors)
    prompts, saved = [], 0
    for behavior in behaviors:
        prompt, saved = cut_item(item, behavior, share + saved, tokenizer)
        prompts.append(prompt)
    return prompts


def profile_prompt(
    input: str,
    behaviors: Sequence[Behavior],
    *,
    item: Item,
    assemble: Callable[[list[str], str], str],
    reserve: int,
    tokenizer: Tokenizer,
    max_length: int,
) -> str:
    """The official profile prompt of at most `max_length` tokens.

    The input reserves its own length, but no more than .6 of the limit; the items share the rest
    less `reserve` (tokens of the assembly's own words). Where a label or title doesn't fit, the
    input's share steps down by .1; below 0 the plain input remains. The result is cut on the right,
    so it is the end of a long input that is lost.

    Args:
        assemble: (item prompts, input) → prompt.
    """
    prompt = input
    length = tokenizer.count(input)
    for share in INPUT_SHARES if behaviors else ():
        budget = max_length - min(length, int(share * max_length)) - reserve
        try:
            items = cut_items(item, behaviors, budget, tokenizer)
        except ValueError:
            continue
        prompt = assemble(items, input)
        break
    if tokenizer.count(prompt) <= max_length:
        return prompt
    return tokenizer.truncate(prompt, max_length)
