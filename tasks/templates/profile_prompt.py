"""The official profile prompt: item prompts truncated to a token budget, joined with the input.

Source: LaMP's released prompt code (`LaMP/prompts/prompts.py`, `create_prompt_generator`).
Lengths here count text tokens. The official code also counts the special token that each tokenizer
call adds, so its texts come out a token or two shorter at the same limit.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from tasks.budget import LAMP, QUERY_FIRST, BudgetRule
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
    rule: BudgetRule = LAMP,
) -> str:
    """The official profile prompt, at most `max_length` tokens long.

    With "lamp", the input takes up its own length, but at most 60% of the limit; the items share
    the rest, minus `reserve`. If a label or title doesn't fit, the input's share is lowered in
    steps of 10%; if nothing fits at 0% either, the prompt is the plain input. A prompt that is too
    long loses its end, which is the input's. With "query-first", the input takes up its own length
    and loses nothing; if the items don't fit next to it, the prompt is the plain input.

    The allowances for joints and words (two tokens for each joint, `reserve`) are the official
    code's. Where this LLM's tokenizer needs more, the items give way: the assembled prompt is
    counted, and the input never loses more than its share demands.

    Args:
        item: formats one behaviour.
        assemble: (item prompts, input) → prompt.
        reserve: number of tokens set aside for the words that `assemble` adds.
    """
    length = tokenizer.count(input)
    shares = [length] if rule == QUERY_FIRST else [int(s * max_length) for s in INPUT_SHARES]
    for share in shares if behaviors else ():
        kept = min(length, share)
        budget = max_length - kept - reserve
        longest = max_length + length - kept  # before the end is cut
        while True:
            try:
                items = cut_items(item, behaviors, budget, tokenizer)
            except ValueError:
                break
            prompt = assemble(items, input)
            excess = tokenizer.count(prompt) - longest
            if excess <= 0:
                return cut_end(prompt, max_length, tokenizer)
            budget -= excess
    return cut_end(input, max_length, tokenizer)


def cut_end(text: str, tokens: int, tokenizer: Tokenizer) -> str:
    """`text`, without its end if it has more than `tokens` tokens."""
    return text if tokenizer.count(text) <= tokens else tokenizer.truncate(text, tokens)
