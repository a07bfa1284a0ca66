"""The closed set of answers: listed in the declaration, or inferred from train outputs."""

import re
from collections.abc import Iterable

from tasks.table.config import TableConfig
from tasks.table.rows import read_number
from tasks.task import Kind


def infer_labels(outputs: Iterable[str], kind: Kind) -> tuple[str, ...]:
    """The distinct outputs in their natural order; () for generation.

    Numbers sort by value; other labels as a reader would: "level 2" before "level 10", without
    regard to case.
    """
    if kind is Kind.GENERATION:
        return ()
    found = set(outputs)
    numbers = {label: read_number(label) for label in found}
    if all(number is not None for number in numbers.values()):
        return tuple(sorted(found, key=lambda label: (numbers[label], label)))
    return tuple(sorted(found, key=_natural_key))


def choose_labels(config: TableConfig, outputs: Iterable[str]) -> tuple[str, ...]:
    """The listed labels, or those inferred from these outputs."""
    return config.labels or infer_labels(outputs, config.kind)


def _natural_key(label: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.split(r"(\d+)", label.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], label
