"""How the evaluated queries of a task are divided: by history length, activity, label, seen users.

A dimension reads the data, never the predictions, so every method of a table has the same parts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench.data import Data
from tasks import Dataset, Task

STARTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""The smallest number of each bin; a bin ends where the next one starts."""


@dataclass(frozen=True)
class Division:
    """The evaluated queries of a task in parts.

    Attributes:
        of_example: example id → the name of its part.
        order: every part that could be, in natural order; those without a query are empty.
        refused: why the task can't be divided so; then there are no parts.
    """

    of_example: Mapping[str, str]
    order: tuple[str, ...]
    refused: str = ""

    @property
    def empty(self) -> tuple[str, ...]:
        """The parts without any query, up to the last one that has some."""
        filled = set(self.of_example.values())
        last = max((i for i, name in enumerate(self.order) if name in filled), default=-1)
        return tuple(name for name in self.order[: last + 1] if name not in filled)


@dataclass(frozen=True)
class Dimension:
    """A way to divide queries.

    Attributes:
        about: what a part's name says, for notes.
        divide: the evaluated set and the data source → the parts.
    """

    about: str
    divide: Callable[[type[Task], Dataset, Data], Division]


def _by_history(task: type[Task], evaluated: Dataset, data: Data) -> Division:  # noqa: ARG001
    return _bin({example.id: len(example.history) for example in evaluated.examples})


def _by_activity(task: type[Task], evaluated: Dataset, data: Data) -> Division:
    if not names_users(evaluated):
        return _refuse("its files name no users")
    asked = Counter(example.user_id for example in data.load(task, data.suite.train).examples)
    return _bin({example.id: asked[example.user_id] for example in evaluated.examples})


def _by_seen(task: type[Task], evaluated: Dataset, data: Data) -> Division:
    if not names_users(evaluated):
        return _refuse("its files name no users")
    known = {example.user_id for example in data.load(task, data.suite.train).examples}
    parts = {e.id: "seen" if e.user_id in known else "unseen" for e in evaluated.examples}
    return Division(parts, ("seen", "unseen"))


def _by_label(task: type[Task], evaluated: Dataset, data: Data) -> Division:  # noqa: ARG001
    if not task.labels:
        return _refuse("its answers are free text")
    golds = {id: gold.strip() for id, gold in (evaluated.golds or {}).items()}
    return Division(golds, tuple(dict.fromkeys([*task.labels, *golds.values()])))


DIMENSIONS = {
    "history": Dimension("items in the query's history", _by_history),
    "activity": Dimension("queries of the same user in the train set", _by_activity),
    "label": Dimension("the gold label", _by_label),
    "seen": Dimension("whether the train set has a query of the same user", _by_seen),
}
"""What `bench table --slice` accepts besides k."""


def names_users(evaluated: Dataset) -> bool:
    """Whether the set's files say whose each query is; else every query counts as a user."""
    return any(example.user_id != example.id for example in evaluated.examples)


def name_bin(number: int) -> str:
    """The bin that a number is in, such as "0", "1", "2–4" or "5–9"."""
    return next(name for start, name in reversed(_BINS) if number >= start)


def _name_bins() -> Iterable[tuple[int, str]]:
    for start, following in zip(STARTS, (*STARTS[1:], None), strict=True):
        if following is None:
            yield start, f"{start}+"
        else:
            yield start, str(start) if following == start + 1 else f"{start}–{following - 1}"


_BINS = tuple(_name_bins())


def _bin(numbers: Mapping[str, int]) -> Division:
    parts = {id: name_bin(number) for id, number in numbers.items()}
    return Division(parts, tuple(name for _, name in _BINS))


def _refuse(why: str) -> Division:
    return Division({}, (), why)
