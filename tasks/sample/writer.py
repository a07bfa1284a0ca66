"""Writes a small generated data set in LaMP's official layout, for tests and the first run.

Its texts come from a simple grammar in which a user's habits (topics, favourite tags, a rating
offset, a title style) matter a little, so scores on it support no claim about LaMP. In the user
split, each query has a user of its own. In the time split, users recur, items carry dates, and a
query's history is what its user did before. History lengths are long-tailed and include 0 and 1.
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
from tasks.sample.grammar import Habits, SampleGrammar
from tasks.sample.grammars import GRAMMARS

VERSION = 1
"""Increased whenever the same seed gives different files."""

LONGEST_HISTORY = 32


@dataclass
class _SampleUser:
    """A user's habits and their history so far, in chronological order."""

    id: str
    habits: Habits
    start: date
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def today(self) -> str:
        return (self.start + timedelta(days=3 * len(self.items))).isoformat()


class _TaskSample:
    """Generates the sets of one task and split."""

    def __init__(self, grammar: SampleGrammar, split: SplitName, seed: int) -> None:
        self.grammar, self.split = grammar, split
        self.random = random.Random(Seeds.root("sample", VERSION, seed).seed(grammar.folder, split))
        self.item_ids, self.question_ids, self.user_ids = count(100_000), count(1000), count(1)

    def create_user(self, size: int | None = None) -> _SampleUser:
        """Create a user with `size` history items; None draws a long-tailed size."""
        if size is None:
            size = min(int(2 * self.random.paretovariate(0.9)), LONGEST_HISTORY)
        start = date(2015, 1, 1) + timedelta(days=self.random.randrange(1000))
        user = _SampleUser(f"u{next(self.user_ids):03d}", Habits.draw(self.random), start)
        for _ in range(size):
            self.record(user, self.grammar.draw(self.random, user.habits).item)
        return user

    def record(self, user: _SampleUser, item: dict[str, Any]) -> None:
        """Append an item to the user's history."""
        dated = {"date": user.today} if self.split == "time" else {}
        user.items.append({"id": str(next(self.item_ids)), **item, **dated})

    def ask(self, user: _SampleUser) -> tuple[dict[str, Any], str]:
        """Turn the user's next act into (question, gold), and append it to the history."""
        act = self.grammar.draw(self.random, user.habits)
        question = {
            "id": str(next(self.question_ids)),
            "input": act.input,
            "profile": user.items[-LONGEST_HISTORY:],
        }
        if self.split == "time":
            question |= {"user_id": user.id, "date": user.today}
        self.record(user, act.item)
        return question, act.gold

    def draw_askers(
        self, users: int, sizes: dict[SetName, int]
    ) -> Iterator[tuple[SetName, _SampleUser]]:
        """The user of each query, set by set; a set's first two histories have 0 and 1 items."""
        if self.split == "user":
            for set, size in sizes.items():
                for index in range(size):
                    yield set, self.create_user(index if index < 2 else None)
            return
        recurring = [self.create_user() for _ in range(users)]
        for set, size in sizes.items():
            fresh = [self.create_user(0), self.create_user(1)]
            for index in range(size):
                yield set, fresh[index] if index < 2 else recurring[index % users]

    def write(self, root: Path, users: int, sizes: dict[SetName, int]) -> None:
        """Write every set, and outputs for all but the test set."""
        pairs: dict[SetName, list[tuple[dict[str, Any], str]]] = {set: [] for set in sizes}
        for set, user in self.draw_askers(users, sizes):
            pairs[set].append(self.ask(user))
        task = self.grammar.folder.split("/")[0]
        for set, pairs_of_set in pairs.items():
            folder = root / self.split / self.grammar.folder / set
            _write(folder / f"{set}_questions.json", [question for question, _ in pairs_of_set])
            if set != "test":
                golds = [{"id": question["id"], "output": gold} for question, gold in pairs_of_set]
                _write(folder / f"{set}_outputs.json", {"task": task, "golds": golds})


def write_sample(
    root: Path, *, seed: int = 0, users: int = 40, train: int = 150, dev: int = 60, test: int = 20
) -> None:
    """Write the sample to `root`: both splits of LaMP's, LongLaMP's and LaMP-QA's tasks.

    The same arguments give the same bytes.

    Args:
        users: number of recurring users in the time split.
        train, dev, test: number of queries in each set, per task and split.
    """
    sizes: dict[SetName, int] = {"train": train, "dev": dev, "test": test}
    splits: tuple[SplitName, ...] = ("user", "time")
    for split in splits:
        for grammar in GRAMMARS:
            _TaskSample(grammar, split, seed).write(root, users, sizes)


def _write(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False))
