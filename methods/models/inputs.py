"""Token ids and soft tokens as the arguments of a Hugging Face model's forward pass."""

from collections.abc import Sequence
from typing import Any

import torch

from methods.models import padding


def build_inputs(
    model: Any,
    rows: Sequence[Sequence[int]],
    pad: int,
    prefix: torch.Tensor | None,
    *,
    left: bool = False,
    scale: float = 1.0,
) -> dict[str, torch.Tensor]:
    """Padded ids or, with `prefix`, embeddings behind the soft tokens; and their mask.

    Args:
        rows: token ids of B prompts.
        pad: id that fills rows up to the longest.
        prefix: [B, P, H] soft tokens, placed directly before each row's first real token.
        left: pad on the left, as generation with a decoder-only model needs.
        scale: by which the model multiplies the embeddings of ids, but not those given to it.

    Returns:
        "input_ids" [B, T] or "inputs_embeds" [B, P + T, H], and "attention_mask".
    """
    embedding = model.get_input_embeddings()
    ids, mask = padding.pad(rows, pad, left=left, device=embedding.weight.device)
    if prefix is None:
        return {"input_ids": ids, "attention_mask": mask}
    embedded = embedding(ids) if scale == 1 else embedding(ids) * scale
    embedded, mask = padding.after_prefix(prefix.to(embedded), embedded, mask)
    return {"inputs_embeds": embedded, "attention_mask": mask}
