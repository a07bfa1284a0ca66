"""The best single answer for a population of users, in tasks scored by ROUGE."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np

T = TypeVar("T")

TOKEN = re.compile(r"[a-z0-9]+")
"""A token of ROUGE, after lower-casing."""


def argmax_expected_rouge(texts: Sequence[str], weights: Sequence[int]) -> int:
    """Index of the text with the highest expected ROUGE-1 F against a text drawn by weight.

    Computed exactly with integers and fractions; ties go to the first.
    """
    bags = [TOKEN.findall(text.lower()) for text in texts]
    column = {word: i for i, word in enumerate(dict.fromkeys(w for bag in bags for w in bag))}
    counts = np.zeros((len(column), len(bags)), dtype=np.int64)
    for position, bag in enumerate(bags):
        for word in bag:
            counts[column[word], position] += 1
    overlaps = np.zeros((len(bags), len(bags)), dtype=np.int64)
    for row in counts:
        overlaps += np.minimum.outer(row, row)
    lengths = counts.sum(axis=0)
    shares = np.array(weights, dtype=np.int64)
    expected = [Fraction(0)] * len(bags)
    for length in np.unique(lengths):
        hits = overlaps @ np.where(lengths == length, shares, 0)
        for position, hit in enumerate(hits):
            expected[position] += Fraction(2 * int(hit), int(lengths[position] + length))
    return max(range(len(bags)), key=expected.__getitem__)


def best_taste(population: Sequence[tuple[T, int]], answer: Callable[[T], str]) -> T:
    """The taste whose answer has the highest expected ROUGE-1 F over a weighted population."""
    tastes = [taste for taste, _ in population]
    best = argmax_expected_rouge(
        [answer(taste) for taste in tastes], [weight for _, weight in population]
    )
    return tastes[best]
