"""Equal terms (law 2): whether the cells of a table ran their LLM alike, whatever their key says.

A key holds what was asked for; a record holds what was run: `dtype = "auto"` is bfloat16 on one
machine and float32 on another.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.records import CellRecord
from bench.tables.model import RowKey

Terms = tuple[str, dict[str, str]]
"""The LLM's name in bench.toml ("" without one), and term → value."""
TERMS = ("dtype", "quantize", "device", "num_beams", "dialect", "template", "tokens")
"""Keys of an LLM's description that change answers; others are in the key, or change no answer."""


def read_terms(record: CellRecord) -> Terms:
    """The terms under which a cell's LLM ran."""
    described: dict[str, Any] = record.models.llm or {}
    terms = {name: str(described[name]) for name in TERMS if described.get(name) is not None}
    if "device" in terms:
        terms["device"] = terms["device"].partition(":")[0]  # cuda:0 and cuda:1 are alike
    return record.llm or "", terms


def find_unequal_terms(cells: Mapping[RowKey, Sequence[Terms]]) -> list[str]:
    """One phrase for each term in which cells of one LLM differ, with the rows of each value."""
    rows: dict[tuple[str, str], dict[str, dict[str, None]]] = {}
    for key, of_row in cells.items():
        for llm, terms in of_row:
            for name, value in terms.items():
                rows.setdefault((llm, name), {}).setdefault(value, {})[key.method] = None
    return [
        f"{name} of LLM {llm} is "
        + ", ".join(f"{value} for {_shorten(methods)}" for value, methods in values.items())
        for (llm, name), values in rows.items()
        if len(values) > 1
    ]


def _shorten(names: Iterable[str], most: int = 3) -> str:
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return f"{' and '.join(listed[:most])}{more}"
