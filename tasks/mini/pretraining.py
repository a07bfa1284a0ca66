"""What the embedded LLM and sentence encoder learn from: LaMP-mini's language, none of its users.

Users and queries can't be a world's, by construction: their streams of chance have another first
axis (`tasks.mini.chance.stream` keeps the axes whole), and the text of every query and item belongs
by its own hash either to worlds or to pretraining (`tasks.mini.life.Side`).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Literal

from tasks.mini.chance import stream
from tasks.mini.drills import DRILLS, LOCAL_DRILLS, Drill, Pair
from tasks.mini.grammar import Grammar
from tasks.mini.grammars import GRAMMARS
from tasks.mini.lexicon import TOPICS
from tasks.mini.life import Act, Life, Side
from tasks.mini.prompts import behavior, example, explained, in_brief, profile_prompt
from tasks.mini.taste import draw_user

ROOT = "LaMP-mini pretraining"
VERSION = 1
"""A bump means: other pairs for the same seed."""

Kind = Literal[
    "stated",
    "demonstrations",
    "plain",
    "hinted",
    "brief",
    "clear",
    "uniform",
    "local",
    "explained",
    "population",
    "everything",
]
Stage = Kind | Drill

TASKS = tuple(grammar.task.name for grammar in GRAMMARS)
ONE_TASTE: frozenset[Kind] = frozenset({"brief", "clear", "uniform", "explained"})
"""Stages whose users have one taste for all topics."""
TASTE_A_TOPIC: frozenset[Stage] = frozenset({"local", *LOCAL_DRILLS})
"""Stages whose users have a taste of its own for every topic."""
SHARES = (0.0, 0.5, 1.0)
NOISE = 0.05
MOST_DEMONSTRATIONS = 6
MOST_IN_BRIEF = 8
LONGEST_HISTORY = 24


def pretraining_pairs(
    seed: int, stage: Stage, *, max_words: int = 200, tasks: Sequence[str] = TASKS
) -> Iterator[Pair]:
    """(input, output) pairs without end, each of a new user, of `tasks` in turn.

    The output is what the user's taste says, without noise.

    Args:
        stage: "stated": the taste in words, then the official prompt. "hinted": likewise, in words
            that don't hold the answer itself. "brief": up to 8 items of a user with one taste, cut
            to what tells the taste, then the official prompt. "clear": the same of contents on
            which one part of the taste decides. "demonstrations": the official profile prompt of 1
            to 6 items of the user's history, the most similar ones or random ones. "uniform": the
            same of users with one taste for all topics, so that every item tells it. "local": the
            same of users with a taste for every topic. "explained": prompts as in "uniform" after
            ASK_TASTE, answered by the taste in words, as far as the query asks for it. "plain": the
            official prompt alone, whose answer a random user gives. "population": likewise, but the
            answer is the best user-blind one: what is to be said of a user of whom nothing is
            known. "everything": stated, demonstrations or plain. Else a drill.
        max_words: budget of a profile prompt, in words; drills' are never as long.
        tasks: names; one that stands there twice comes twice as often. Drills are all of LaMP-1.
    """
    makers: dict[Stage, Callable[[random.Random, Life, int], Pair]] = {
        "stated": _stated,
        "demonstrations": _demonstrated,
        "plain": _plain,
        "hinted": _hinted,
        "brief": _brief,
        "clear": _clear,
        "uniform": _demonstrated,
        "local": _demonstrated,
        "explained": _explained,
        "population": _population,
    }
    everything: list[Stage] = ["demonstrations", "plain", "stated"]
    kinds = everything if stage == "everything" else [stage]
    share = 1.0 if stage in ONE_TASTE else 0.0 if stage in TASTE_A_TOPIC else None
    tasks = tasks if stage not in DRILLS else tasks_of(stage)
    rng = stream(ROOT, VERSION, seed, "pairs", stage)
    named = {grammar.task.name: grammar for grammar in GRAMMARS}
    for number in count():
        grammar = named[tasks[number % len(tasks)]]
        life = _life(grammar, rng, seed, "pairs", stage, number, share=share)
        kind = rng.choice(kinds)
        if drill := DRILLS.get(kind):
            yield drill(rng, life)
        else:
            yield makers[kind](rng, life, max_words)


def tasks_of(stage: Stage) -> tuple[str, ...]:
    """The tasks that a stage is about, in the order of its pairs."""
    return ("LaMP-1",) if stage in DRILLS else TASKS


def corpus(seed: int) -> Iterator[str]:
    """Texts without end: behaviours with and without their labels, and queries, task by task."""
    rng = stream(ROOT, VERSION, seed, "corpus")
    for number in count():
        life = _life(GRAMMARS[number % len(GRAMMARS)], rng, seed, "corpus", number)
        item, asked = behavior(life, life.act(), 0), example(life, life.act(), ())
        task = life.grammar.task
        yield task.history_text(item)
        yield task.history_text(item, labels=True)
        yield asked.query


def positive_pairs(seed: int, kind: Literal["topic", "taste"]) -> Iterator[Pair]:
    """Pairs of texts that an encoder should bring together, without end, task by task.

    Args:
        kind: "topic": a query, and another user's behaviour on the same topic. "taste": two
            behaviours of one user of one taste, labels included, on any topics.
    """
    rng = stream(ROOT, VERSION, seed, "positive pairs", kind)
    for number in count():
        grammar, axes = GRAMMARS[number % len(GRAMMARS)], (seed, "positive pairs", kind, number)
        one = _life(grammar, rng, *axes, "first", share=1.0)
        if kind == "taste":
            first, second = (behavior(one, one.act(), index) for index in range(2))
            texts = [grammar.task.history_text(item, labels=True) for item in (first, second)]
            yield texts[0], texts[1]
        else:
            topic = rng.choice(sorted(TOPICS))
            other = _life(grammar, rng, *axes, "second", share=1.0)
            query = example(one, one.act(topic), ()).subject
            yield query, grammar.task.history_text(behavior(other, other.act(topic), 0))


def _life(
    grammar: Grammar[Any, Any], rng: random.Random, *axes: object, share: float | None = None
) -> Life:
    """A new pretraining user."""
    own = (ROOT, VERSION, *axes)
    share = rng.choice(SHARES) if share is None else share
    user = draw_user(grammar.taste, "", own, share=share, drift=0.0, acts=LONGEST_HISTORY)
    return Life(grammar, user, own, noise=NOISE, side=Side.PRETRAINING, taken=set())


def _stated(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    stated = life.grammar.stated(rng, act.content, act.taste)
    return f"{stated} {life.grammar.input(act.content)}", act.oracle


def _hinted(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    hinted = life.grammar.hinted(rng, act.content, act.taste)
    return f"{hinted} {life.grammar.input(act.content)}", act.oracle


def _brief(rng: random.Random, life: Life, max_words: int, *, clear: bool = False) -> Pair:  # noqa: ARG001
    acts = [_act(life, clear) for _ in range(rng.randrange(1, MOST_IN_BRIEF + 1))]
    said = in_brief(life, [(act, act.answer) for act in acts])
    act = _act(life, clear)
    return f"{said} {life.grammar.input(act.content)}", act.oracle


def _clear(rng: random.Random, life: Life, max_words: int) -> Pair:
    return _brief(rng, life, max_words, clear=True)


def _act(life: Life, clear: bool) -> Act:
    act = life.act()
    while clear and not life.grammar.clear(act.content):
        act = life.act()
    return act


def _plain(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    return life.grammar.input(act.content), act.oracle


def _population(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    return life.grammar.input(act.content), life.grammar.user_blind(act.content)


def _demonstrated(rng: random.Random, life: Life, max_words: int) -> Pair:
    act, prompt = _shown(rng, life, max_words)
    return prompt, act.oracle


def _explained(rng: random.Random, life: Life, max_words: int) -> Pair:
    return explained(life, *_shown(rng, life, max_words))


def _shown(rng: random.Random, life: Life, max_words: int) -> tuple[Act, str]:
    """What the user does next, and the profile prompt that asks for it."""
    history = [
        behavior(life, life.act(), number)
        for number in range(rng.randrange(1, LONGEST_HISTORY + 1))
    ]
    act = life.act()
    query = example(life, act, ()).query
    rng.shuffle(history)
    if rng.randrange(2):
        history.sort(key=lambda item: -_shared_words(item.text, query))
    chosen = history[: rng.randrange(1, MOST_DEMONSTRATIONS + 1)]
    return act, profile_prompt(life, act, chosen, max_words)


def _shared_words(first: str, second: str) -> int:
    return len(set(first.split()) & set(second.split()))
