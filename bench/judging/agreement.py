"""How far a judge agrees with itself: counts for each question, from which any resample follows."""

from collections.abc import Sequence

import numpy as np

from bench.judging.judge import Verdict
from bench.judging.prompts import HIGHEST
from bench.statistics.clusters import Floats

SCORES = HIGHEST + 1


def count_pairs(first: Sequence[Verdict], second: Sequence[Verdict]) -> list[float]:
    """[9] how often each pair of scores was given to the same aspect, row by row of a 3 × 3 table.

    Pairs of which one has no score are left out.
    """
    table = np.zeros((SCORES, SCORES))
    for one, other in zip(first, second, strict=True):
        if one.score is not None and other.score is not None:
            table[one.score, other.score] += 1
    return [float(value) for value in table.ravel()]


def find_agreement(rows: Floats) -> float:
    """Share of pairs with equal scores, of counts [n, 9]; 0 without any pair."""
    table = _sum(rows)
    total = table.sum()
    return float(np.trace(table) / total) if total else 0.0


def find_kappa(rows: Floats) -> float:
    """Cohen's κ of counts [n, 9]: (p_o − p_e) / (1 − p_e) (Cohen 1960).

    0 where chance alone agrees always, because one score was given throughout: nothing is shown
    then that chance doesn't give.
    """
    table = _sum(rows)
    total = table.sum()
    if not total:
        return 0.0
    by_chance = float(table.sum(axis=1) @ table.sum(axis=0) / total**2)
    return (find_agreement(rows) - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0


def _sum(rows: Floats) -> Floats:
    return np.asarray(rows.sum(axis=0).reshape(SCORES, SCORES))
