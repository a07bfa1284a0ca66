"""Length and copying of texts: counts for each text, from which any resample can be computed.

Words are those of `tasks.common.words.split_words` for every task: runs of letters, marks and
digits in lower case, in any script.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from bench.statistics.clusters import Floats
from tasks.common.words import split_words

RUN = 4
"""Words in a row that count as copied: the longest n-grams of See et al. (2017, figure 6)."""


def divide(rows: Floats) -> float:
    """The sum of the first column [n, 2] over that of the second; 0 where that is 0."""
    first, second = rows.sum(axis=0)
    return float(first / second) if second else 0.0


def count_lengths(texts: Sequence[str | None], golds: Sequence[str]) -> Floats:
    """[n, 2] words of each text and of its gold; `divide` makes them the length ratio.

    The length ratio is words of all texts ÷ words of all golds: c / r of BLEU's brevity penalty
    (Papineni et al. 2002), `ratio` in sacrebleu's output, by this module's words. 1 is as long as
    the users' own texts. A failed answer has no words.
    """
    pairs = zip(texts, golds, strict=True)
    return _as_rows(
        [(len(split_words(text or "")), len(split_words(gold))) for text, gold in pairs]
    )


def find_runs(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """Every RUN words that stand in a row in one of the texts."""
    return {run for text in texts for run in _list_runs(split_words(text))}


def count_copied(text: str | None, runs: set[tuple[str, ...]]) -> tuple[int, int]:
    """(words of a text that stand in one of the runs, all words of the text)."""
    words = split_words(text or "")
    copied: set[int] = set()
    for start, run in enumerate(_list_runs(words)):
        if run in runs:
            copied.update(range(start, start + RUN))
    return len(copied), len(words)


def count_all_copied(
    rows: Sequence[Sequence[str | None]], histories: Iterable[Iterable[str]]
) -> list[Floats]:
    """Copied words and all words [n, 2] of each of R rows; `divide` makes them the share copied.

    The share is 1 − the share of novel n-grams (See et al. 2017, figure 6), in words: of all words,
    those that stand among RUN in a row that some text of the history has too. A text of fewer words
    holds none. One history is held at a time.

    Args:
        rows: [R][n] texts.
        histories: [n] the texts that each example's may be copied from.
    """
    counts: list[list[tuple[int, int]]] = [[] for _ in rows]
    for n, history in enumerate(histories):
        runs = find_runs(history)
        for texts, found in zip(rows, counts, strict=True):
            found.append(count_copied(texts[n], runs))
    return [_as_rows(found) for found in counts]


def _list_runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)]


def _as_rows(pairs: Sequence[tuple[int, int]]) -> Floats:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)
