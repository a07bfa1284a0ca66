"""LaMP-mini: official LaMP files for users whose preferences are known.

Two people never share a stream of chance, and knobs other than the seed and the sizes leave
people, topics and contents as they are: they change which taste decides, and what is a slip.
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
from tasks.mini.grammar import Grammar
from tasks.mini.grammars import GRAMMARS
from tasks.mini.life import Act, Life, Side
from tasks.mini.taste import draw_user

VERSION = 1
"""A bump means: other bytes for the same seed."""

FIRST_DAY, DAYS_PER_ACT = date(2015, 1, 1), 3

Share = Annotated[float, Field(ge=0, le=1)]


class WorldConfig(BaseModel):
    """The knobs of a world.

    Attributes:
        users: who recur in every set of the time split. In the user split each query has a user of
            its own, so it has `users` times the queries of a set.
        train_queries, dev_queries, test_queries: of each user in each set.
        shortest_history, longest_history: history lengths are long-tailed (Pareto, exponent 1)
            between these.
        cold_share: of the queries of every set, those of users with no history or one item.
        global_share: the chance that, on a topic, a user's general taste decides and not the
            topic's own; None: each task's natural share (`Grammar.natural_share`).
        noise: the chance that an answer is not what the taste says, in histories and golds alike.
        drift: the chance that a user's tastes are drawn anew in the middle half of what they do.
        seed: another seed, other users and texts.
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
    """Write the world's files under `root`, in LaMP's official layout (`tasks.data.loading`).

    Beside each set's outputs lies `<set>_limits.json`: {"oracle" | "user-blind" | "random": {id:
    output}}, the answers of who knows the user's tastes, of who knows the population alone, and of
    chance. The same config gives the same bytes on any machine.

    Args:
        tasks: names of the tasks to write; None: all six. A task's files don't depend on it.
        splits: which splits to write.

    Raises:
        ConfigError: a task that LaMP-mini hasn't.
        StorageError: `root` can't be written.
    """
    known = {grammar.task.name: grammar for grammar in GRAMMARS}
    wanted = list(known) if tasks is None else list(tasks)
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, list(known))
            raise ConfigError(f"LaMP-mini has no task {name!r}", hint=hint)
    for name in wanted:
        for split in splits:
            _TaskWorld(known[name], split, config).write(root)


@dataclass
class _Person:
    """A user at work, and the profile so far, in order of time."""

    life: Life
    id: str
    day: date
    items: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Set:
    """The rows of one set."""

    questions: list[dict[str, Any]] = field(default_factory=list)
    golds: list[dict[str, str]] = field(default_factory=list)
    limits: dict[str, dict[str, str]] = field(
        default_factory=lambda: {"oracle": {}, "user-blind": {}, "random": {}}
    )


class _TaskWorld:
    """Writes one task's sets of one split."""

    def __init__(self, grammar: Grammar[Any, Any], split: SplitName, config: WorldConfig) -> None:
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
        recurring = self.recurring(sum(sizes.values()))
        for set, queries in sizes.items():
            rows = _Set()
            for person in self.askers(recurring, queries):
                self.ask(person, rows)
            folder = root / self.split / task.folder / set
            _write(folder / f"{set}_questions.json", rows.questions)
            golds = {"task": task.folder.split("/")[0], "golds": rows.golds}
            _write(folder / f"{set}_outputs.json", golds)
            _write(folder / f"{set}_limits.json", rows.limits)

    def recurring(self, queries: int) -> list[_Person]:
        """Who is asked again and again, `queries` times in all: in the time split alone."""
        if self.split == "user":
            return []
        return [self.person(queries=queries) for _ in range(self.config.users)]

    def askers(self, recurring: list[_Person], queries: int) -> Iterator[_Person]:
        """Who is asked in one set, round after round; cold-start users at even distances."""
        cold = 0
        for index in range(self.config.users * queries):
            if int((index + 1) * self.config.cold_share) > cold:
                yield self.person(size=cold % 2)
                cold += 1
            else:
                yield recurring[index % len(recurring)] if recurring else self.person()

    def person(self, *, size: int | None = None, queries: int = 1) -> _Person:
        """A new user with `size` items; None draws a long-tailed size."""
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
        """Add what was done to the user's profile."""
        dated = {"date": person.day.isoformat()} if self.split == "time" else {}
        item = self.grammar.item(act.content, act.answer)
        person.items.append({"id": str(next(self.item_ids)), **item, **dated})
        person.day += timedelta(days=DAYS_PER_ACT)

    def ask(self, person: _Person, rows: _Set) -> None:
        """The user's next act becomes a query with its gold, and then joins the profile."""
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
        rows.limits["oracle"][id] = act.oracle
        rows.limits["user-blind"][id] = self.grammar.user_blind(act.content)
        rows.limits["random"][id] = self.grammar.guess(self.random, act.content)
        self.remember(person, act)


def _write(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False))
