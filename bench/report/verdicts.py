"""What the tests say of one difference: better, worse, or unclear."""

from dataclasses import dataclass
from enum import StrEnum

from bench.statistics import Interval
from bench.tables.model import Column


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


def judge(column: Column, difference: Interval | None) -> Gain | None:
    """The gain and its verdict; None where the table has no such difference."""
    if difference is None:
        return None
    if column.higher_is_better:
        value, low, high = difference.value, difference.low, difference.high
    else:
        value, low, high = -difference.value, -difference.high, -difference.low
    verdict = Verdict.UNCLEAR
    if difference.excludes_zero:
        verdict = Verdict.BETTER if value > 0 else Verdict.WORSE
    return Gain(value, low, high, verdict)
