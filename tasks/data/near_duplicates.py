"""Finds equal and nearly equal texts without comparing every pair."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tasks.common.words import split_words


def normalize_text(text: str) -> str:
    """The words of a text in any script, in lower case and separated by one space."""
    return " ".join(split_words(text))


def find_equal(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield (position of the first, position of a later one) for texts equal when normalized.

    Each later text is yielded once. Texts without any word are ignored.
    """
    first: dict[str, int] = {}
    for position, text in enumerate(map(normalize_text, texts)):
        if text and first.setdefault(text, position) != position:
            yield first[text], position


def find_near_duplicates(texts: Sequence[str], threshold: float = 0.9) -> Iterator[tuple[int, int]]:
    """Yield positions (i, j), i < j, of texts whose word sets' Jaccard similarity is ≥ threshold.

    Of texts that are equal when normalized, only the first is considered. Candidates are found by
    prefix filtering (Chaudhuri et al., ICDE 2006): with words ordered from rare to common, two sets
    x that are this similar share one of their first |x| - ⌈threshold·|x|⌉ + 1 words.
    """
    seen: set[str] = set()
    sets: dict[int, frozenset[str]] = {}
    for position, text in enumerate(map(normalize_text, texts)):
        if text and text not in seen:
            seen.add(text)
            sets[position] = frozenset(text.split())
    commonness = Counter(word for words in sets.values() for word in words)
    index: defaultdict[str, list[int]] = defaultdict(list)
    for position, words in sets.items():
        ordered = sorted(words, key=lambda word: (commonness[word], word))
        prefix = ordered[: len(ordered) - math.ceil(threshold * len(ordered)) + 1]
        candidates = {other for word in prefix for other in index[word]}
        for other in sorted(candidates):
            smaller, larger = sorted((len(words), len(sets[other])))
            if smaller < threshold * larger:
                continue
            shared = len(words & sets[other])
            if shared >= threshold * (smaller + larger - shared):
                yield other, position
        for word in prefix:
            index[word].append(position)
