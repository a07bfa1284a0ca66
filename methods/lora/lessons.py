"""A user's own history as prompts and responses to learn from (methods.md §3b)."""

import dataclasses
from collections.abc import Sequence

from methods.prompt.method import PromptMethod
from tasks.common.errors import DataError
from tasks.example import Behavior, Example, newest_first
from tasks.task import Task


def as_queries(task: Task, example: Example) -> list[tuple[Example, str]]:
    """Each item of the history that teaches something, asked as a query, and its response.

    Such a query's own history is what came before the item, so that retrieval for it sees neither
    the item nor anything later: by date, equal and missing dates in file order.
    """
    oldest_first = newest_first(example.history)[::-1]
    found = []
    for number, place in enumerate(oldest_first):
        item = example.history[place]
        earlier = tuple(example.history[i] for i in sorted(oldest_first[:number]))
        alone = dataclasses.replace(example, history=(item,))
        for input, response in task.training_pairs(alone):
            query = _query(item, input)
            asked = dataclasses.replace(
                example,
                id=f"{example.user_id}:{item.id}",
                input=input,
                query=query,
                subject=query,
                history=earlier,
                date=item.date,
            )
            found.append((asked, response))
    return found


def _query(item: Behavior, input: str) -> str:
    """What to search earlier items with: the content, unless the input shows only part of it."""
    return item.content if input.endswith(item.content) else input


def prompts_of(queries: Sequence[Example], text: PromptMethod | None) -> list[str]:
    """What the LLM reads of each query; without a prompt method, the plain inputs.

    Raises DataError where a query has no prompt.
    """
    if text is None:
        return [query.input for query in queries]
    prompts = text.prompts(queries)
    for query, prompt in zip(queries, prompts, strict=True):
        if prompt.text is None:
            raise DataError(
                f"an item of the history can't be learned from ({prompt.error})",
                id=query.id,
                hint="Set retrieval_in_training = 0, or leave the item out",
            )
    return [prompt.text or "" for prompt in prompts]
