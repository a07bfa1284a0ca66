"""Which examples a report holds: all where they are few, else a stated choice."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.common.seeds import Seeds

FAILED, DISAGREED, RANDOM = "failed", "disagreed", "random"


@dataclass(frozen=True)
class Candidate:
    """What decides whether an example is chosen.

    Attributes:
        place: its index.
        failed: whether an answer is missing or unreadable.
        spread: the best score of a method minus the worst, as a share of all examples' widest.
    """

    place: int
    failed: bool
    spread: float


@dataclass(frozen=True)
class Selection:
    """The chosen examples' indices in their order, and how they were chosen."""

    places: tuple[int, ...]
    how: str


def select(candidates: Sequence[Candidate], most: int, name: str) -> Selection:
    """At most `most` examples: failures, then disagreements, a third of the room each at most; and
    for the rest a random choice, seeded by `name`.
    """
    n = len(candidates)
    if n <= most:
        return Selection(tuple(range(n)), f"all {n} examples")
    third = most // 3
    failed = [c.place for c in candidates if c.failed][:third]
    taken = set(failed)
    ranked = sorted(candidates, key=lambda c: (-c.spread, c.place))
    split = [c.place for c in ranked if c.spread > 0 and c.place not in taken][:third]
    taken.update(split)
    seeds = Seeds.root("report", name)
    rest = sorted(
        (c.place for c in candidates if c.place not in taken), key=lambda p: seeds.seed(str(p))
    )
    drawn = rest[: most - len(taken)]
    taken.update(drawn)
    counts = (
        (len(failed), "with a missing or unreadable answer"),
        (len(split), "on which the methods differ most"),
        (len(drawn), "drawn at random"),
    )
    parts = [f"{count} {what}" for count, what in counts if count]
    return Selection(tuple(sorted(taken)), f"{len(taken)} of {n} examples: {', '.join(parts)}")
