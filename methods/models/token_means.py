"""Texts as means of an LLM's input embeddings: vectors in the space of its soft tokens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from methods.models.encoder import Side, Vectors
from tasks.common.files import content_key

if TYPE_CHECKING:
    from methods.models.language_model import LanguageModel


class TokenMeans:
    """The mean of a text's token embeddings, as the LLM reads them; no layer of it is run.

    Special tokens and the chat template don't count; a text without tokens is zero.

    Attributes:
        identity: content key of LLM and length.
        name: the LLM's, for messages.
        dimension: H.
    """

    def __init__(self, llm: "LanguageModel", tokens: int) -> None:
        """`tokens`: that are read of a text; the rest is cut."""
        self.llm, self.tokens = llm, tokens
        self.identity = content_key(["token means", llm.weights, tokens], length=32)
        self.name = llm.name
        self.dimension = llm.hidden_size

    def text(self, text: str, side: Side) -> str:  # noqa: ARG002
        """The text itself, on either side."""
        return text

    @torch.no_grad()
    def encode(self, texts: Sequence[str], *, side: Side) -> Vectors:  # noqa: ARG002
        """Vectors of `texts`, float32 [N, H]."""
        table, scale = self.llm.model.get_input_embeddings(), self.llm.embedding_scale()
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        ids = self.llm.tokens.encode_responses(texts, self.tokens + 1)
        for row, (*own, _end) in enumerate(ids):
            if own:
                embedded = table(torch.tensor(own, device=self.llm.device))
                vectors[row] = (embedded.float().mean(0) * scale).cpu().numpy()
        return vectors
