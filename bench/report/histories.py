"""The part of a history that an example shows: what a row read or weighed, and the newest items."""

from collections.abc import Mapping
from typing import Any

from bench.report.answers import RowAnswers
from tasks import Example
from tasks.example import newest_first

NEWEST, HEAVIEST, MOST_ITEMS = 2, 5, 24
LONGEST_ITEM = 280
"""Characters that are shown of an item."""


def choose_items(example: Example, id: str, rows: Mapping[int, RowAnswers]) -> list[dict[str, Any]]:
    """The items in their order in the history, with the rows that read them.

    Args:
        rows: number of a row → its answers.

    Returns:
        For each item its text, response and date; `read`: [row, its rank in the prompt] pairs;
        `weights`: [row, weight] pairs.
    """
    places = {behavior.id: place for place, behavior in enumerate(example.history)}
    read: dict[int, list[list[int]]] = {}
    weights: dict[int, list[list[float]]] = {}
    for number, row in rows.items():
        for rank, item in enumerate(row.predictions[0][id].behaviors, start=1):
            if item in places:
                read.setdefault(places[item], []).append([number, rank])
        of_row = row.weights.get(id, {})
        for item in sorted(of_row, key=lambda item: -of_row[item])[:HEAVIEST]:
            if item in places:
                weights.setdefault(places[item], []).append([number, round(of_row[item], 4)])
    newest = newest_first(example.history)[:NEWEST]
    chosen = sorted(list(dict.fromkeys([*read, *weights, *newest]))[:MOST_ITEMS])
    items = []
    for place in chosen:
        behavior = example.history[place]
        text = behavior.text or behavior.content
        items.append(
            {
                "text": text if len(text) <= LONGEST_ITEM else f"{text[: LONGEST_ITEM - 1]}…",
                "response": None if behavior.response in (None, text) else behavior.response,
                "date": behavior.date,
                "newest": place in newest,
                "read": read.get(place, []),
                "weights": weights.get(place, []),
            }
        )
    return items
