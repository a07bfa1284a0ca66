"""Whose text is it? The nearest author by character n-grams, among users known by their histories.

A text and each author's past texts are bags of character 4-grams with TF-IDF weights, compared by
cosine: profile-based attribution (Stamatatos 2009, section 3.1), with the features of the baseline
of PAN's authorship verification tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.statistics.clusters import Floats

NGRAM = 4
"""Characters of a feature."""
FEATURES = 3000
"""How many n-grams are kept: the most frequent ones, which topics decide less."""
DIGITS = 9
"""Decimals to which cosines are compared, so that rounding breaks no tie."""
CHUNK = 256
"""Texts that are compared at once."""


@dataclass(frozen=True)
class Nearest:
    """How near texts [n] are to one author each, among all candidates.

    Attributes:
        first: whether the author is the nearest one; 1 ÷ the number of authors that tie for it.
        share: of the other candidates, how many are farther; ties count half. 0.5 by chance.
    """

    first: Floats
    share: Floats


class Authors:
    """Authors by their past texts.

    Args:
        documents: [A] all past texts of each author, joined.

    Raises ValueError where no author has a text of NGRAM characters.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        every = CountVectorizer(analyzer="char", ngram_range=(NGRAM, NGRAM), lowercase=False)
        counts = every.fit_transform(documents)
        names = every.get_feature_names_out()
        frequent = np.lexsort((names, -np.asarray(counts.sum(axis=0)).ravel()))[:FEATURES]
        kept = np.sort(frequent)
        self._counter = CountVectorizer(
            analyzer="char",
            ngram_range=(NGRAM, NGRAM),
            lowercase=False,
            vocabulary=names[kept].tolist(),
        )
        self._weighting = TfidfTransformer().fit(counts[:, kept])
        self._profiles = self._weighting.transform(counts[:, kept])  # [A, F], unit length

    def compare(self, texts: Sequence[str]) -> Floats:
        """Cosines [n, A] of texts with every author; 0 where nothing is shared."""
        vectors = self._weighting.transform(self._counter.transform(texts))
        found: Any = (vectors @ self._profiles.T).toarray()
        cosines: Floats = np.asarray(found, dtype=np.float64).round(DIGITS)
        return cosines

    def find_nearest(
        self,
        texts: Sequence[str | None],
        wanted: NDArray[np.intp],
        candidates: NDArray[np.intp],
    ) -> Nearest:
        """How near each text is to the author that it is wanted of.

        A failed answer (None) counts as wrong: 0 and 0.

        Args:
            texts: [n].
            wanted: [n] the author of each; one of its candidates.
            candidates: [n, C] the different authors that each may be by.
        """
        first, share = np.zeros(len(texts)), np.zeros(len(texts))
        for start in range(0, len(texts), CHUNK):
            part = slice(start, start + CHUNK)
            cosines = self.compare([text or "" for text in texts[part]])
            own = np.take_along_axis(cosines, wanted[part, None], axis=1)
            rivals = np.take_along_axis(cosines, candidates[part], axis=1)
            nearer, equal = (rivals > own).sum(axis=1), (rivals == own).sum(axis=1)
            first[part] = (nearer == 0) / equal
            others = candidates.shape[1] - 1
            share[part] = (others - nearer - (equal - 1) / 2) / others
        failed = np.array([text is None for text in texts], dtype=bool)
        first[failed] = share[failed] = 0.0
        return Nearest(first, share)

    @cached_property
    def n(self) -> int:
        """How many authors there are."""
        return int(self._profiles.shape[0])
