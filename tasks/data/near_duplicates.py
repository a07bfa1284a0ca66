"""Pairs of texts that say the same thing, without comparing every pair."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

WORD = re.compile(r"\w+")


def normalized(text: str) -> str:
    """Lower-case words, one space apart: what is left when punctuation and layout don't count."""
    return " ".join(WORD.findall(text.lower()))


def equal_texts(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(first, later) positions of texts equal when normalized; each later one once.

    Texts without any word are left out.
    """
    first: dict[str, int] = {}
    for position, text in enumerate(map(normalized, texts)):
        if text and first.setdefault(text, position) != position:
            yield first[text], position


def near_duplicates(texts: Sequence[str], threshold: float = 0.9) -> Iterator[tuple[int, int]]:
    """Positions (i, j), i < j, of texts that differ but whose word sets' Jaccard is ≥ threshold.

    Of texts equal when normalized only the first is looked at. Prefix filtering: with words ordered
    from rare to common, two sets that similar share one of their first |x| - ⌈threshold·|x|⌉ + 1
    words, so only texts that meet in such a word are compared (Chaudhuri et al., ICDE 2006).
    """
    seen: set[str] = set()
    sets: dict[int, frozenset[str]] = {}
    for position, text in enumerate(map(normalized, texts)):
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
