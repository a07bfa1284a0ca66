"""Learning curves: the same method at several k, the number of retrieved items."""

from typing import Any

from bench.slices.stored import Rows
from bench.tables.model import RowKey
from methods.core.controls import SEPARATOR

K = "k"
"""The option that a curve runs over, and the name of that dimension."""
NO_K = "no k"
"""The part in which the reference stands: it retrieves nothing."""


def find_curves(rows: Rows) -> dict[RowKey, dict[int, RowKey]]:
    """Curve → k → the row that has this k.

    Rows belong to one curve if they are the same method, with the same models, budget and control,
    and equal in every option but k. Rows that have no such partner make no curve. A curve is named
    by its method, or by its first variant where another curve has the same method.
    """
    families: dict[tuple[Any, ...], dict[int, RowKey]] = {}
    for key, row in rows.items():
        options = row.cell.config.model_dump(mode="json")
        k = options.pop(K, None)
        if not isinstance(k, int):
            continue
        family = (row.cell.method.name, key.llm, key.encoder, key.budget, repr(options))
        families.setdefault(family, {}).setdefault(k, key)
    curves = {family: ks for family, ks in families.items() if len(ks) > 1}
    named: dict[RowKey, dict[int, RowKey]] = {}
    for family, ks in curves.items():
        shared = sum(other[:4] == family[:4] for other in curves) > 1
        first = next(iter(ks.values()))
        name = first.method if shared else _name_family(family[0], first)
        named[first._replace(method=name)] = dict(sorted(ks.items()))
    return named


def _name_family(method: str, first: RowKey) -> str:
    _, separator, control = first.method.partition(SEPARATOR)
    return method if separator in method else f"{method}{separator}{control}"
