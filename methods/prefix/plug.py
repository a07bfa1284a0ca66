"""The trained part of a prefix method."""

from abc import ABC, abstractmethod

import torch
from torch import nn

from methods.prefix.histories import Batch


class Plug(nn.Module, ABC):
    """Turns users' encoded histories into soft tokens for a frozen LLM.

    Shapes: B examples, N behaviours, D the encoder's dimension, H the LLM's hidden size, P tokens.
    """

    @abstractmethod
    def forward(self, batch: Batch) -> torch.Tensor:
        """Soft tokens [B, P, H]. An example's tokens must not depend on the other examples."""

    def user_tokens(self, batch: Batch) -> torch.Tensor:
        """The part of the soft tokens that depends on the user alone: [B, n, H].

        Called only for plugs whose users are stored as soft tokens (`Stored.TOKENS`).
        """
        raise NotImplementedError(f"{type(self).__name__} keeps no soft tokens of a user")
