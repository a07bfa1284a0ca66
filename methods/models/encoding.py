"""Texts → vectors in batches of fixed shapes: nothing but the text itself decides its vector.

What a matrix product or an attention kernel rounds depends on the shape of the batch. The shape is
therefore a function of one text: its tokens, rounded up, give the length, and the length gives the
number of rows. A batch that is not full is filled up with copies of a text.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

VERSION = 2
"""Names stored vectors; raised whenever the same text gets other bits."""

TOKENS = {"cpu": 512}
"""Tokens of a batch, padding included: enough to keep the device busy, few where one text waits."""
TOKENS_ON_GPU = 16_384
_SHORTEST = 8  # tokens; all shorter texts share this length


class Shape(NamedTuple):
    """What texts share that may stand in one batch.

    Attributes:
        length: tokens of a row, padding included.
        padded: whether rows hold padding. Attention without any takes another kernel.
    """

    length: int
    padded: bool


def shape_of(tokens: int, limit: int) -> Shape:
    """The shape for a text of `tokens` tokens, at most `limit`.

    Lengths have four steps per power of two (…, 32, 40, 48, 56, 64, 80, …), so that at most a fifth
    of a long row is padding. A text that fills its row exactly never stands beside one that does
    not.
    """
    step = max(_SHORTEST, (1 << max(tokens - 1, 0).bit_length()) // 8)
    length = min(max(-(-tokens // step), 1) * step, limit)
    return Shape(length, padded=tokens < length)


def rows_of(shape: Shape, device: str, most: int) -> int:
    """Texts of a batch of this shape, at most `most`."""
    return max(1, min(most, TOKENS.get(device, TOKENS_ON_GPU) // shape.length))


def encode_texts(
    model: "SentenceTransformer", texts: Sequence[str], *, most_rows: int
) -> npt.NDArray[np.float32]:
    """Vectors of `texts`, float32 [N, D], in their order; equal texts are encoded once.

    Args:
        most_rows: of a batch; lower it where memory runs out.
    """
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    tokens = _Tokens(model, list(places))
    vectors = np.empty((len(places), model.get_embedding_dimension() or 0), np.float32)
    for shape, alike in tokens.by_shape():
        size = rows_of(shape, model.device.type, most_rows)
        for start in range(0, len(alike), size):
            rows = alike[start : start + size]
            full = rows + rows[:1] * (size - len(rows))
            vectors[rows] = _forward(model, tokens.features(full, shape))[: len(rows)]
    return vectors[[places[text] for text in texts]]


class _Tokens:
    """Texts as the model's tokenizer divides them; each is tokenized once, without padding."""

    def __init__(self, model: "SentenceTransformer", texts: Sequence[str]) -> None:
        lists = {"text": {"padding": False}, "common": {"return_tensors": None}}
        # An empty prompt: one that is stored with the model is ignored.
        found = model.preprocess(list(texts), prompt="", processing_kwargs=lists)
        self._rows = {name: value for name, value in found.items() if isinstance(value, list)}
        self._constants = {name: found[name] for name in found.keys() - self._rows}
        tokenizer = model.tokenizer
        self._left = tokenizer.padding_side == "left"
        self._fill = {
            "input_ids": tokenizer.pad_token_id or 0,
            "token_type_ids": tokenizer.pad_token_type_id,
        }
        self._limit = model.max_seq_length

    def by_shape(self) -> list[tuple[Shape, list[int]]]:
        """Indices of the texts of each shape, longest first, so that memory runs out early."""
        found: dict[Shape, list[int]] = defaultdict(list)
        for row, ids in enumerate(self._rows["input_ids"]):
            found[shape_of(len(ids), self._limit or len(ids))].append(row)
        return sorted(found.items(), reverse=True)

    def features(self, rows: Sequence[int], shape: Shape) -> dict[str, Any]:
        """The model's input for the texts `rows`: int64 [len(rows), shape.length] each."""
        padded = dict(self._constants)
        for name, values in self._rows.items():
            table = np.full((len(rows), shape.length), self._fill.get(name, 0), np.int64)
            for filled, row in zip(table, rows, strict=True):
                tokens = values[row]
                filled[shape.length - len(tokens) if self._left else 0 :][: len(tokens)] = tokens
            padded[name] = torch.from_numpy(table)
        return padded


@torch.inference_mode()
def _forward(model: "SentenceTransformer", features: dict[str, Any]) -> npt.NDArray[np.float32]:
    on_device = {
        name: value.to(model.device) if isinstance(value, torch.Tensor) else value
        for name, value in features.items()
    }
    vectors: torch.Tensor = model(on_device)["sentence_embedding"]
    found: npt.NDArray[np.float32] = vectors.float().cpu().numpy()
    return found
