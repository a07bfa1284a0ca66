"""Scoring rules: the choices that turn the same predictions into different scores."""

from dataclasses import dataclass
from typing import Literal

Unparsed = Literal["lamp", "pplug"]
"""Treatment of an ordinal answer that is not a number: LaMP's scripts' or PPlug's."""
Aggregator = Literal["mean", "lamp"]
"""Of ROUGE: the mean, or the bootstrap median that LaMP's scripts print."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """Scoring rules. Scores computed under different rules must not share a table.

    Attributes:
        unparsed: treatment of an ordinal answer that is not a number (see `tasks.metrics.ordinal`).
        aggregator: of ROUGE: "mean", or "lamp" for the bootstrap median that LaMP's scripts print.
    """

    unparsed: Unparsed = "lamp"
    aggregator: Aggregator = "mean"


DEFAULT_SCORING = Scoring()
