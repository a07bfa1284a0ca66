"""Training pairs from a user's own history (methods.md §3b)."""

import dataclasses
from collections.abc import Sequence

from methods.prompt.method import PromptMethod
from tasks.common.errors import DataError
from tasks.example import Behavior, Example, newest_first
from tasks.task import Task


def as_queries(task: Task, example: Example) -> list[tuple[Example, str]]:
    """Items of the history as (query, response), for each training pair of the task.

    A query's own history holds the items before it (by date; equal and missing dates in file
    order), so that retrieval sees neither the item itself nor anything later.
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
    """The retrieval query: the content, or the input where that shows only part of the content."""
    return item.content if input.endswith(item.content) else input


def write_prompts(queries: Sequence[Example], text: PromptMethod | None) -> list[str]:
    """The prompt of each query by `text`, or its plain input without one.

    Raises DataError where a prompt can't be written.
    """
    if text is None:
        return [query.input for query in queries]
    prompts = text.prompts(queries)
    for query, prompt in zip(queries, prompts, strict=True):
        if prompt.text is None:
            raise DataError(
                f"an item of the history has no prompt to learn from ({prompt.error})",
                id=query.id,
                hint="Set retrieval_in_training = 0, or remove the item",
            )
    return [prompt.text or "" for prompt in prompts]
