"""Default wording of a declared task: its instruction, and how a prompt shows a history item."""

from collections.abc import Sequence

from tasks.table.config import TableConfig
from tasks.task import Kind

MOST_LISTED = 40
"""Labels that a default instruction lists at most."""


def write_instruction(config: TableConfig, labels: Sequence[str]) -> str:
    """The instruction: the declared one, or a sentence made of the column names."""
    if config.instruction is not None:
        return config.instruction.replace("{labels}", ", ".join(labels)).strip()
    what, given = humanize(config.output), humanize(config.input)
    if config.kind is Kind.GENERATION:
        return f"Write the {what} for the following {given}. Just answer with the {what}. {given}:"
    if config.kind is Kind.ORDINAL:
        return (
            f"What is the {what} of the following {given} on a scale from {labels[0]} to "
            f"{labels[-1]}? Just answer with {join(labels)}. {given}:"
        )
    among = f" among {join(labels, 'and')}" if len(labels) <= MOST_LISTED else ""
    ask = f"Which {what} does the following {given} have{among}?"
    return f"{ask} Just answer with the {what}. {given}:"


def write_item_template(config: TableConfig) -> str:
    """The template of an item prompt, over {content} and {response}."""
    if config.item is not None:
        return config.item.replace("{input}", "{content}").replace("{output}", "{response}")
    what = humanize(config.output).replace("{", "{{").replace("}", "}}")
    if config.kind is Kind.GENERATION:
        return f'"{{response}}" is the {what} for "{{content}}"'
    return f'{{response}} is the {what} for "{{content}}"'


def humanize(column: str) -> str:
    """A column's name as words: "ticket_text" and "ticketText" are "ticket text".

    Other capitals stay, which are an orthography's ("Bewertung"), unless there are no small ones.
    """
    if column.isupper():
        column = column.lower()
    words = "".join(
        f" {char.lower()}" if char.isupper() and before.islower() else char
        for before, char in zip(" " + column, column, strict=False)
    )
    return " ".join(words.replace("_", " ").replace("-", " ").split())


def join(labels: Sequence[str], last: str = "or") -> str:
    """The labels as a list in a sentence: "1, 2 or 3"."""
    *others, final = labels
    return f"{', '.join(others)} {last} {final}" if others else final
