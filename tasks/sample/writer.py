"""A small generated data set in LaMP's official layout, for tests and for the first run.

Not LaMP, and no claim follows from a score on it: a simple grammar in which a user's own habits
(topics, a favourite tag, a rating offset, a title style) matter a little. In the user split each
query has a user of its own; in the time split users recur, a query's history is what its user did
before, and items carry dates. History sizes have a long tail and include empty and one-item ones.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from tasks.common.files import write_text
from tasks.common.seeds import Seeds
from tasks.data.layout import SetName, SplitName
from tasks.sample.grammar import GRAMMARS, Grammar, Habits

VERSION = 1
"""A bump means: other bytes for the same seed."""

LONGEST_HISTORY = 32


@dataclass
class _User:
    """A user's habits and all that this user has done so far, in order of time."""

    id: str
    habits: Habits
    start: date
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def today(self) -> str:
        return (self.start + timedelta(days=3 * len(self.items))).isoformat()


class _TaskSample:
    """Writes one task's sets of one split."""

    def __init__(self, grammar: Grammar, split: SplitName, seed: int) -> None:
        self.grammar, self.split = grammar, split
        self.random = random.Random(Seeds.root("sample", VERSION, seed).seed(grammar.folder, split))
        self.item_ids, self.question_ids, self.user_ids = count(100_000), count(1000), count(1)

    def user(self, size: int | None = None) -> _User:
        """A new user with `size` items; None draws a long-tailed size."""
        if size is None:
            size = min(int(2 * self.random.paretovariate(0.9)), LONGEST_HISTORY)
        start = date(2015, 1, 1) + timedelta(days=self.random.randrange(1000))
        user = _User(f"u{next(self.user_ids):03d}", Habits.draw(self.random), start)
        for _ in range(size):
            self.act(user, self.grammar.draw(self.random, user.habits).item)
        return user

    def act(self, user: _User, item: dict[str, Any]) -> None:
        """Add an item to the user's history."""
        dated = {"date": user.today} if self.split == "time" else {}
        user.items.append({"id": str(next(self.item_ids)), **item, **dated})

    def ask(self, user: _User) -> tuple[dict[str, Any], str]:
        """(question, gold): the next thing the user does, which then joins the history."""
        drawn = self.grammar.draw(self.random, user.habits)
        question = {
            "id": str(next(self.question_ids)),
            "input": drawn.input,
            "profile": user.items[-LONGEST_HISTORY:],
        }
        if self.split == "time":
            question |= {"user_id": user.id, "date": user.today}
        self.act(user, drawn.item)
        return question, drawn.gold

    def askers(self, users: int, sizes: dict[SetName, int]) -> Iterator[tuple[SetName, _User]]:
        """Who is asked, set after set; each set meets an empty and a one-item history."""
        if self.split == "user":
            for set, size in sizes.items():
                for index in range(size):
                    yield set, self.user(index if index < 2 else None)
            return
        recurring = [self.user() for _ in range(users)]
        for set, size in sizes.items():
            fresh = [self.user(0), self.user(1)]
            for index in range(size):
                yield set, fresh[index] if index < 2 else recurring[index % users]

    def write(self, root: Path, users: int, sizes: dict[SetName, int]) -> None:
        """Write every set; the test set without outputs."""
        asked: dict[SetName, list[tuple[dict[str, Any], str]]] = {set: [] for set in sizes}
        for set, user in self.askers(users, sizes):
            asked[set].append(self.ask(user))
        task = self.grammar.folder.split("/")[0]
        for set, pairs in asked.items():
            folder = root / self.split / self.grammar.folder / set
            _write(folder / f"{set}_questions.json", [question for question, _ in pairs])
            if set != "test":
                golds = [{"id": question["id"], "output": gold} for question, gold in pairs]
                _write(folder / f"{set}_outputs.json", {"task": task, "golds": golds})


def write_sample(
    root: Path, *, seed: int = 0, users: int = 40, train: int = 150, dev: int = 60, test: int = 20
) -> None:
    """Write the sample of all seven tasks, both splits, under `root`.

    The same arguments give the same bytes.

    Args:
        users: recurring users of the time split.
        train, dev, test: queries of each task and split.
    """
    sizes: dict[SetName, int] = {"train": train, "dev": dev, "test": test}
    splits: tuple[SplitName, ...] = ("user", "time")
    for split in splits:
        for grammar in GRAMMARS:
            _TaskSample(grammar, split, seed).write(root, users, sizes)


def _write(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False))
