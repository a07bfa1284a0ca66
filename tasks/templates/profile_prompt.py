"""The official profile prompt: item prompts truncated to a token budget, joined with the input.

Source: LaMP's released prompt code (`LaMP/prompts/prompts.py`, `create_prompt_generator`).
Lengths here count text tokens. The official code also counts the special token that each tokenizer
call adds, so its texts come out a token or two shorter at the same limit.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from tasks.example import Behavior
from tasks.task import Tokenizer

INPUT_SHARES = (0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
"""Shares of the limit that the input may take up at most, tried in this order."""


class Item(Protocol):
    """Formats a behaviour as an item prompt with the given content: `item(behavior, content)`."""

    def __call__(self, behavior: Behavior, content: str) -> str: ...


def cut_item(
    item: Item, behavior: Behavior, tokens: int | None, tokenizer: Tokenizer
) -> tuple[str, int]:
    """Format an item prompt of at most `tokens` tokens by truncating its content.

    Labels and titles are never truncated. If `tokens` is None, nothing is.

    Returns:
        The item prompt, and the number of tokens it leaves unused (0 if `tokens` is None).

    Raises:
        ValueError: the item takes more than `tokens` tokens even without content.
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
    """Item prompts that together take about `tokens` tokens at most, with two for each joint.

    Each item gets an equal share; tokens that one leaves unused roll over to the next ones. Raises
    ValueError as `cut_item` does.
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
    """The official profile prompt, at most `max_length` tokens long.

    The input takes up its own length, but at most 60% of the limit; the items share the rest, minus
    `reserve`. If a label or title doesn't fit, the input's share is lowered in steps of 10%; if
    nothing fits at 0% either, the prompt is the plain input. The result is truncated on the right,
    so a long input loses its end.

    Args:
        item: formats one behaviour.
        assemble: (item prompts, input) → prompt.
        reserve: number of tokens set aside for the words that `assemble` adds.
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
