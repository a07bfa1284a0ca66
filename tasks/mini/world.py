"""Writes a world of LaMP-mini: official LaMP files of users whose preferences are known.

No two users share a random stream. Options other than the seed and the sizes leave users, topics
and contents unchanged; they only change which taste applies and which answers are noisy.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from tasks.common.errors import ConfigError
from tasks.common.files import write_text
from tasks.common.registry import did_you_mean
from tasks.data.layout import SetName, SplitName
from tasks.mini.chance import stream
from tasks.mini.grammar import TaskGrammar
from tasks.mini.grammars import GRAMMARS
from tasks.mini.life import Act, Life, Side
from tasks.mini.taste import draw_user

VERSION = 1
"""Increased whenever the same seed gives different files."""

FIRST_DAY, DAYS_PER_ACT = date(2015, 1, 1), 3

Share = Annotated[float, Field(ge=0, le=1)]


class WorldConfig(BaseModel):
    """The options of a world.

    Attributes:
        users: number of users, who recur in every set of the time split. In the user split each
            query has a user of its own, so a set has `users` × queries users.
        train_queries, dev_queries, test_queries: number of queries per user in each set.
        shortest_history, longest_history: bounds of the history lengths, which are long-tailed
            (Pareto with exponent 1).
        cold_share: the fraction of queries in every set from users with at most one history item.
        global_share: the probability that a user's general taste applies on a topic rather than a
            taste specific to the topic; None for each task's `TaskGrammar.natural_share`.
        noise: the probability that an answer deviates from the taste, in histories and golds.
        drift: the probability that a user's tastes change in the middle half of their acts.
        seed: a different seed gives different users and texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    users: PositiveInt = 300
    train_queries: PositiveInt = 4
    dev_queries: PositiveInt = 1
    test_queries: PositiveInt = 1
    shortest_history: PositiveInt = 8
    longest_history: PositiveInt = 40
    cold_share: Share = 0.04
    global_share: Share | None = None
    noise: Share = 0.05
    drift: Share = 0.0
    seed: int = 0

    @model_validator(mode="after")
    def _lengths_in_order(self) -> "WorldConfig":
        if self.shortest_history > self.longest_history:
            raise ValueError(
                f"shortest_history = {self.shortest_history} exceeds "
                f"longest_history = {self.longest_history}"
            )
        return self


def write_world(
    root: Path,
    config: WorldConfig,
    *,
    tasks: Sequence[str] | None = None,
    splits: Sequence[SplitName] = ("user", "time"),
) -> None:
    """Write the world's files to `root`, in LaMP's official layout (`tasks.data.layout`).

    Next to the outputs of each set is `<set>_limits.json` with the set's bounds: {"oracle" |
    "user-blind" | "random": {id: output}}, the best answers given the user's tastes, the best given
    only the population, and random answers. The same config gives the same bytes on any machine.

    Args:
        tasks: names of the tasks to write; None for all six. Does not affect a task's files.
        splits: the splits to write.

    Raises:
        ConfigError: LaMP-mini does not include a task.
        StorageError: `root` is not writable.
    """
    known = {grammar.task.name: grammar for grammar in GRAMMARS}
    names = list(known) if tasks is None else list(tasks)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, list(known))
            raise ConfigError(f"LaMP-mini has no task {name!r}", hint=hint)
    for name in names:
        for split in splits:
            _TaskWorld(known[name], split, config).write(root)


@dataclass
class _Person:
    """A user and their profile so far, in chronological order."""

    life: Life
    id: str
    day: date
    items: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _SetRows:
    """The contents of one set's files."""

    questions: list[dict[str, Any]] = field(default_factory=list)
    golds: list[dict[str, str]] = field(default_factory=list)
    bounds: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"oracle": {}, "user-blind": {}, "random": {}}
    )


class _TaskWorld:
    """Generates the sets of one task and split."""

    def __init__(
        self, grammar: TaskGrammar[Any, Any], split: SplitName, config: WorldConfig
    ) -> None:
        self.grammar, self.split, self.config = grammar, split, config
        self.axes = "LaMP-mini world", VERSION, config.seed, grammar.task.name, split
        self.random = stream(*self.axes, "random answers")
        self.item_ids, self.question_ids, self.user_ids = count(100_000), count(1000), count(1)
        self.taken: set[str] = set()

    def write(self, root: Path) -> None:
        task = self.grammar.task
        sizes: dict[SetName, int] = {
            "train": self.config.train_queries,
            "dev": self.config.dev_queries,
            "test": self.config.test_queries,
        }
        recurring = self.create_recurring(sum(sizes.values()))
        for set, queries in sizes.items():
            rows = _SetRows()
            for person in self.draw_askers(recurring, queries):
                self.ask(person, rows)
            folder = root / self.split / task.folder / set
            _write(folder / f"{set}_questions.json", rows.questions)
            golds = {"task": task.folder.split("/")[0], "golds": rows.golds}
            _write(folder / f"{set}_outputs.json", golds)
            _write(folder / f"{set}_limits.json", rows.bounds)

    def create_recurring(self, queries: int) -> list[_Person]:
        """The users of the time split, each asked `queries` times; none in the user split."""
        if self.split == "user":
            return []
        return [self.create_person(queries=queries) for _ in range(self.config.users)]

    def draw_askers(self, recurring: list[_Person], queries: int) -> Iterator[_Person]:
        """The user of each query in a set, round-robin, with evenly spaced cold-start users."""
        cold = 0
        for index in range(self.config.users * queries):
            if int((index + 1) * self.config.cold_share) > cold:
                yield self.create_person(size=cold % 2)
                cold += 1
            else:
                yield recurring[index % len(recurring)] if recurring else self.create_person()

    def create_person(self, *, size: int | None = None, queries: int = 1) -> _Person:
        """Create a user with `size` history items; None draws a long-tailed size."""
        number, config = next(self.user_ids), self.config
        axes = (*self.axes, number)
        rng = stream(*axes, "history")
        drawn = min(
            config.shortest_history * 1000 // rng.randrange(1, 1001), config.longest_history
        )
        day = FIRST_DAY + timedelta(days=rng.randrange(1000))
        size = drawn if size is None else size
        share = config.global_share
        user = draw_user(
            self.grammar.taste,
            f"u{number:05d}",
            axes,
            share=self.grammar.natural_share if share is None else share,
            drift=config.drift,
            acts=size + queries,
        )
        life = Life(self.grammar, user, axes, noise=config.noise, side=Side.WORLD, taken=self.taken)
        person = _Person(life, user.id, day)
        for _ in range(size):
            self.remember(person, life.act())
        return person

    def remember(self, person: _Person, act: Act) -> None:
        """Append an act to the user's profile."""
        dated = {"date": person.day.isoformat()} if self.split == "time" else {}
        item = self.grammar.item(act.content, act.answer)
        person.items.append({"id": str(next(self.item_ids)), **item, **dated})
        person.day += timedelta(days=DAYS_PER_ACT)

    def ask(self, person: _Person, rows: _SetRows) -> None:
        """Turn the user's next act into a query with its gold, then append it to the profile."""
        act, id = person.life.act(), str(next(self.question_ids))
        question = {
            "id": id,
            "input": self.grammar.input(act.content),
            "profile": person.items[-self.config.longest_history :],
        }
        if self.split == "time":
            question |= {"user_id": person.id, "date": person.day.isoformat()}
        rows.questions.append(question)
        rows.golds.append({"id": id, "output": act.answer})
        rows.bounds["oracle"][id] = act.oracle
        rows.bounds["user-blind"][id] = self.grammar.user_blind(act.content)
        rows.bounds["random"][id] = self.grammar.guess(self.random, act.content)
        self.remember(person, act)


def _write(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False))
