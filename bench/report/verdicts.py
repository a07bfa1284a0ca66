"""What the tests say of one difference: better, worse, or unclear."""

from dataclasses import dataclass
from enum import StrEnum

from bench.statistics import Comparison


class Verdict(StrEnum):
    """What may be claimed of a difference."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Gain:
    """A difference whose positive side is the better one, in the unit of its metric.

    Attributes:
        low, high: its interval; None where it is withheld.
        p: after correction for the other rows of its column; None where there is no test.
        reason: why there is no interval, or nothing is claimed in spite of one; empty if neither.
    """

    value: float
    low: float | None
    high: float | None
    verdict: Verdict
    p: float | None = None
    reason: str = ""

    def describe(self) -> str:
        """The gain, its interval or why it has none, and the verdict."""
        parts = [f"{self.value:+.3f}"]
        if self.low is not None and self.high is not None:
            parts.append(f"[{self.low:+.3f}, {self.high:+.3f}]")
        parts.append(self.verdict if not self.reason else f"{self.verdict} ({self.reason})")
        return " ".join(parts)


def judge(comparison: Comparison | None) -> Gain | None:
    """The gain and its verdict; None where the table has no such comparison."""
    if comparison is None:
        return None
    low, high = comparison.low, comparison.high
    if not comparison.higher_is_better and low is not None and high is not None:
        low, high = -high, -low
    return Gain(
        comparison.gain,
        low,
        high,
        Verdict(comparison.verdict),
        comparison.p_adjusted,
        comparison.withheld or comparison.unproven,
    )
