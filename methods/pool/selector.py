"""RSPG's selector: scores the text of each pool member; and its loss."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from methods.models.encoder import Encoder


class Selector(nn.Module):
    """A linear layer on the pooled vector of a trained encoder: text → score.

    A text that is too long loses its beginning, because its end holds the query and, for RSPG-Post,
    the answer.

    Args:
        encoder: gives the initial weights; it isn't changed.
        max_tokens: of a text, special tokens included; limited by the encoder's positions.
    """

    def __init__(self, encoder: Encoder, max_tokens: int) -> None:
        super().__init__()
        self.encoder = encoder.trainable_copy()
        model = self.encoder.model
        positions = getattr(model.transformers_model.config, "max_position_embeddings", max_tokens)
        model.max_seq_length = min(max_tokens, positions, model.tokenizer.model_max_length)
        model.tokenizer.truncation_side = "left"
        self.separator: str = model.tokenizer.sep_token or model.tokenizer.eos_token
        device = next(self.encoder.parameters()).device
        self.scorer = nn.Linear(encoder.dimension, 1).to(device)

    def forward(self, texts: Sequence[Sequence[str]]) -> torch.Tensor:
        """Scores [B, M] of B rows of M texts; equal texts are encoded once."""
        distinct = {text: None for row in texts for text in row}
        places = {text: place for place, text in enumerate(distinct)}
        scores = self.scorer(self.encoder(list(distinct))).squeeze(-1)
        rows = torch.tensor([[places[text] for text in row] for row in texts], device=scores.device)
        found: torch.Tensor = scores[rows]
        return found


def divergence(
    scores: torch.Tensor, utilities: torch.Tensor, *, teacher: float, student: float
) -> torch.Tensor:
    """KL(softmax(utilities / teacher) ‖ softmax(scores / student)) of each row: [B, M] → [B].

    Each side is normalized once, after dividing by its temperature. The released code divides the
    student's log-probabilities, which then no longer sum to 1, and has no teacher temperature
    (methods.md §3d).

    Args:
        teacher, student: temperatures.
    """
    wanted = F.log_softmax(utilities / teacher, dim=1)
    found = F.log_softmax(scores / student, dim=1)
    return F.kl_div(found, wanted, reduction="none", log_target=True).sum(1)
