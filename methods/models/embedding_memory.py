"""Vectors of texts in memory, without a disk."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from methods.models.embedding_store import EmbeddingStore, TextEncoder
from methods.models.encoder import Side, Vectors


class EmbeddingMemory(EmbeddingStore):
    """An EmbeddingStore in memory, for answering one user outside the harness."""

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__(encoder, Path("memory"))
        self._row_of: dict[str, int] = {}

    def rows(self, texts: Sequence[str], *, side: Side) -> npt.NDArray[np.int64]:
        self.add(texts, side=side)
        return np.array([self._row_of[self.encoder.text(t, side)] for t in texts], np.int64)

    def add(self, texts: Iterable[str], *, side: Side) -> None:
        read = {self.encoder.text(text, side): text for text in texts}
        new = [key for key in read if key not in self._row_of]
        if not new:
            return
        vectors = self.encoder.encode([read[key] for key in new], side=side)
        self._row_of |= {key: len(self._mapped) + i for i, key in enumerate(new)}
        self._mapped = np.concatenate([self._mapped, vectors])

    @property
    def matrix(self) -> Vectors:
        """All stored rows, float32 [rows, D]."""
        return self._mapped
