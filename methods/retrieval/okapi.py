"""BM25 over the histories of one user, each text divided into words once."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
from rank_bm25 import BM25Okapi

from methods.retrieval.retriever import Scores

Integers = npt.NDArray[np.int64]
OKAPI = BM25Okapi([["word"]])
"""Holds rank_bm25's own k1, b and epsilon."""


class OkapiIndex:
    """Word counts of a user's texts; scores each of the user's histories as BM25Okapi does.

    Args:
        texts: every text of the histories to be scored; repeated ones are counted once.
        split: a text's words.
    """

    def __init__(self, texts: Iterable[str], split: Callable[[str], Sequence[str]]) -> None:
        self._row = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        documents = [split(text) for text in self._row]
        self._lengths = np.array([len(document) for document in documents], np.int64)
        tokens = list(chain.from_iterable(documents))
        distinct = dict.fromkeys(tokens)
        self._number = dict(zip(distinct, range(len(distinct)), strict=True))
        numbers = np.fromiter(map(self._number.__getitem__, tokens), np.int64, len(tokens))
        place = np.repeat(np.arange(len(documents)), self._lengths)
        frequencies = _count_repeats(numbers, place)
        kept = frequencies > 0
        self._words, self._frequencies = numbers[kept], frequencies[kept]
        self._sizes = np.bincount(place[kept], minlength=len(documents))
        self._start = [0, *np.cumsum(self._sizes).tolist()]

    def open_history(self, texts: Sequence[str]) -> "OkapiHistory":
        """The statistics of one history, whose texts are the index's, in order."""
        rows = np.array([self._row[text] for text in texts], np.int64)
        runs = [0, *(np.flatnonzero(np.diff(rows) != 1) + 1).tolist(), len(rows)]
        parts = [
            slice(self._start[rows[first]], self._start[rows[after - 1] + 1])
            for first, after in pairwise(runs if len(rows) else [])
        ]
        nothing = slice(0, 0)
        return OkapiHistory(
            number=self._number,
            words=np.concatenate([self._words[part] for part in parts or [nothing]]),
            frequencies=np.concatenate([self._frequencies[part] for part in parts or [nothing]]),
            documents=np.repeat(np.arange(len(rows)), self._sizes[rows]),
            lengths=self._lengths[rows],
        )


class OkapiHistory:
    """The statistics of N texts, of which each query needs a few.

    Scores equal `BM25Okapi.get_scores` bit for bit: every sum is taken in the same order.

    Args:
        number: word → its number; read only.
        words, frequencies, documents: [n] each: a word, how often it stands in a text, which text;
            text by text, and within one in order of first occurrence.
        lengths: the texts' lengths in words, [N].
    """

    def __init__(
        self,
        number: dict[str, int],
        words: Integers,
        frequencies: Integers,
        documents: Integers,
        lengths: Integers,
    ) -> None:
        self._number, self._words = number, words
        self._frequencies, self._documents, self._lengths = frequencies, documents, lengths
        self._idf = _weigh(words, len(number), len(lengths))

    def score(self, query: Iterable[str]) -> Scores:
        """The texts' scores for a query's words, float64 [N]; all 0 where no text has a word."""
        scores = np.zeros(len(self._lengths))
        asked = [number for word in query if (number := self._number.get(word)) is not None]
        if not asked or not len(self._words):
            return scores
        slots = {number: slot for slot, number in enumerate(dict.fromkeys(asked))}
        distinct = np.fromiter(slots, np.int64, len(slots))
        slot_of = np.full(len(self._number), -1)
        slot_of[distinct] = np.arange(len(distinct))
        found = slot_of[self._words]
        hits = np.flatnonzero(found >= 0)
        frequencies = np.zeros((len(distinct), len(scores)))
        frequencies[found[hits], self._documents[hits]] = self._frequencies[hits]
        k1, b, average = OKAPI.k1, OKAPI.b, self._lengths.sum() / len(scores)
        terms = self._idf[distinct, None] * (
            frequencies * (k1 + 1) / (frequencies + k1 * (1 - b + b * self._lengths / average))
        )
        for number in asked:  # one by one: another order would round in another way
            scores += terms[slots[number]]
        return scores


def _count_repeats(words: Integers, documents: Integers) -> Integers:
    """How often a text holds the word at its first occurrence there; 0 at later ones: [n]."""
    narrow = words.astype(np.uint16) if words.max(initial=0) < 2**16 else words  # sorts faster
    order = np.argsort(narrow, kind="stable")
    changes = (np.diff(words[order]) != 0) | (np.diff(documents[order]) != 0)
    starts = np.flatnonzero(np.append(True, changes)[: len(words)])
    frequencies = np.zeros_like(words)
    frequencies[order[starts]] = np.diff(np.append(starts, len(words)))
    return frequencies


def _weigh(words: Integers, vocabulary: int, texts: int) -> Scores:
    """Inverse document frequencies, float64 [vocabulary], as in `BM25Okapi._calc_idf`.

    Words of more than half of the texts get `epsilon` times the average; absent ones get 0.
    """
    idf = np.zeros(vocabulary)
    if not len(words):
        return idf
    holding = np.bincount(words, minlength=vocabulary)
    present = np.flatnonzero(holding)
    idf[present] = _list_idf(texts)[holding[present]]
    first = np.full(vocabulary, len(words))
    np.minimum.at(first, words, np.arange(len(words)))
    in_order = words[first[words] == np.arange(len(words))]
    average = np.add.accumulate(idf[in_order])[-1] / len(in_order)  # summed one by one
    idf[idf < 0] = OKAPI.epsilon * average
    return idf


@lru_cache(maxsize=1024)
def _list_idf(texts: int) -> Scores:
    """The idf of a word that 0, 1, …, all of `texts` texts hold, float64 [texts + 1]."""
    logs = np.array([math.log(count + 0.5) for count in range(texts + 1)])
    return logs[::-1] - logs
