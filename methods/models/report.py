"""What a training run did."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FitReport:
    """What training did; all zero if there was nothing to fit.

    Attributes:
        steps: optimizer steps taken.
        examples: training examples seen, counting repeats.
        curve: rows {"step", "loss", ...} (mean NLL per response token), in order of steps.
        notes: counts that a reader should know (empty or cut histories, …).
    """

    steps: int = 0
    examples: int = 0
    curve: tuple[dict[str, float], ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)
