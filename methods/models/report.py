"""What a training run did."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FitReport:
    """What training did. Nothing to fit: all zero.

    Attributes:
        steps: optimizer steps taken in all.
        examples: training examples seen, repeats counted.
        curve: rows {"step", "loss", ...} (mean NLL per response token), in order of steps.
        notes: counts that a reader must know (empty histories, truncated ones, …).
    """

    steps: int = 0
    examples: int = 0
    curve: tuple[dict[str, float], ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)
