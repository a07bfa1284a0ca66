"""How numbers and differences are written in the tables of the docs."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

REFERENCE = Path(__file__).parents[3] / "results/reference"
COMPARED = re.compile(
    r"^(?P<task>LaMP-\d(?: mini-\w+)?), (?P<metric>\w+) [↑↓], .*\n"
    r"  (?P<ours>\S+) [\d.]+, (?P<theirs>\S+) [\d.]+\n"
    r"  (?P<verdict>.*)\n  difference (?P<difference>\S+) \[(?P<low>\S+), (?P<high>\S+)\]"
    r".*, p (?P<p>[<=] [\d.]+)$",
    re.MULTILINE,
)
"""A paragraph of `bench compare`."""


def read_scores(folder: str) -> pd.DataFrame:
    """The primary metric of every row and task of an outcome."""
    return pd.read_csv(REFERENCE / folder / "scores.csv").drop_duplicates(["task", "method"])


def read_cells(folder: str) -> list[dict[str, Any]]:
    """Keys, seconds and costs of every cell of an outcome."""
    lines = (REFERENCE / folder / "cells.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def read_compared(folder: str) -> list[dict[str, str]]:
    """Every paragraph of what `bench compare` said of an outcome."""
    text = (REFERENCE / folder / "compare.txt").read_text(encoding="utf-8")
    return [found.groupdict() for found in COMPARED.finditer(text)]


def write_lines(heads: Sequence[str], rows: Sequence[Sequence[str]], align: str = "---") -> str:
    """A table in Markdown; `align` is that of all columns but the first."""
    head = f"| {' | '.join(heads)} |".replace("|  |", "| |")
    lines = [head, f"|---|{f'{align}|' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def write_compared(folder: str) -> str:
    """What `bench compare` says of pairs of rows: a line per pair, a column per task.

    Bold differences are significant.
    """
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    for found in read_compared(folder):
        value, low, high = (signed(float(found[end])) for end in ("difference", "low", "high"))
        text = f"{value} [{low}, {high}]"
        claimed = re.search(" is (better|worse) than ", found["verdict"])
        cell = f"{f'**{text}**' if claimed else text}, p {found['p']}"
        pairs.setdefault((found["ours"], found["theirs"]), {})[found["task"]] = cell
    tasks = list(dict.fromkeys(task for cells in pairs.values() for task in cells))
    rows = [
        [f"`{ours}` − `{theirs}`", *(cells.get(task, "") for task in tasks)]
        for (ours, theirs), cells in pairs.items()
    ]
    return write_lines(["", *tasks], rows)


def mean(cells: list[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> float:
    """Over cells."""
    return sum(value(cell) for cell in cells) / len(cells)


def thousandths(value: float) -> str:
    """A score: .123, or 1.234."""
    return f"{value:.3f}".removeprefix("0")


def signed(value: float) -> str:
    """A difference below 1: +.123, −.123 or .000."""
    sign = "" if round(value, 3) == 0 else "+" if value > 0 else "−"
    return sign + thousandths(abs(value))


def interval(value: float, low: float, high: float) -> str:
    """+.052 [+.034, +.070]; bold where the interval excludes 0."""
    text = f"{signed(value)} [{signed(low)}, {signed(high)}]"
    return f"**{text}**" if low > 0 or high < 0 else text
