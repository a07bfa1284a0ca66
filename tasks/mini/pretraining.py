"""Training data of the embedded LLM and sentence encoder: LaMP-mini's language without its users.

No user or query of a world can occur here: the random streams have a different first axis, and
the hash of a text assigns it either to worlds or to pretraining (`tasks.mini.life.Side`).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Literal

from tasks.mini.chance import stream
from tasks.mini.drills import DRILLS, LOCAL_DRILLS, Drill, Pair
from tasks.mini.grammar import TaskGrammar
from tasks.mini.grammars import GRAMMARS
from tasks.mini.lexicon import TOPICS
from tasks.mini.life import Act, Life, Side
from tasks.mini.prompts import ask_taste, behavior, example, list_abridged, profile_prompt
from tasks.mini.taste import draw_user

ROOT = "LaMP-mini pretraining"
VERSION = 1
"""Increased whenever the same seed gives different pairs."""

CommonStage = Literal[
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
Stage = CommonStage | Drill
Relation = Literal["topic", "taste"]
"""What the two texts of a positive pair have in common."""

TASK_NAMES = tuple(grammar.task.name for grammar in GRAMMARS)
GLOBAL_TASTE: frozenset[CommonStage] = frozenset({"brief", "clear", "uniform", "explained"})
"""Stages whose users have the same taste on all topics."""
LOCAL_TASTES: frozenset[Stage] = frozenset({"local", *LOCAL_DRILLS})
"""Stages whose users have a different taste on every topic."""
SHARES = (0.0, 0.5, 1.0)
NOISE = 0.05
MOST_DEMONSTRATIONS = 6
MOST_IN_BRIEF = 8
LONGEST_HISTORY = 24


def pretraining_pairs(
    seed: int, stage: Stage, *, max_words: int = 200, tasks: Sequence[str] = TASK_NAMES
) -> Iterator[Pair]:
    """Yield (input, output) pairs forever, each of a new user, cycling through `tasks`.

    The output is the oracle answer of the user's taste, without noise.

    Args:
        stage: the name of a drill (`tasks.mini.drills`) or one of these:

            - "stated": the taste in words, then the official prompt.
            - "hinted": the same, in words that don't contain the answer.
            - "brief": up to 8 items of a user with the same taste on all topics, abridged to what
              reveals the taste, then the official prompt.
            - "clear": as "brief", with contents on which a single part of the taste decides.
            - "demonstrations": the official profile prompt with 1 to 6 items of the user's history,
              either the most similar ones or random ones.
            - "uniform": as "demonstrations", for users with the same taste on all topics, so that
              every item reveals it.
            - "local": as "demonstrations", for users with a different taste on every topic.
            - "explained": ASK_TASTE and a prompt as in "uniform", answered by the part of the taste
              that decides on the query, in words.
            - "plain": only the official prompt, answered by a random user.
            - "population": only the official prompt, with the best user-blind answer.
            - "everything": "demonstrations", "plain" or "stated", at random.
        max_words: the longest profile prompt, in words; drills stay below it.
        tasks: names of tasks; a name that occurs twice is used twice as often. Drills use only
            LaMP-1.
    """
    builders: dict[Stage, Callable[[random.Random, Life, int], Pair]] = {
        "stated": _state,
        "demonstrations": _demonstrate,
        "plain": _plain,
        "hinted": _hint,
        "brief": _brief,
        "clear": _clear,
        "uniform": _demonstrate,
        "local": _demonstrate,
        "explained": _explain_taste,
        "population": _population,
    }
    everything: list[Stage] = ["demonstrations", "plain", "stated"]
    kinds = everything if stage == "everything" else [stage]
    share = 1.0 if stage in GLOBAL_TASTE else 0.0 if stage in LOCAL_TASTES else None
    tasks = tasks if stage not in DRILLS else stage_tasks(stage)
    rng = stream(ROOT, VERSION, seed, "pairs", stage)
    grammars = {grammar.task.name: grammar for grammar in GRAMMARS}
    for number in count():
        grammar = grammars[tasks[number % len(tasks)]]
        life = _draw_life(grammar, rng, seed, "pairs", stage, number, share=share)
        kind = rng.choice(kinds)
        if drill := DRILLS.get(kind):
            yield drill(rng, life)
        else:
            yield builders[kind](rng, life, max_words)


def stage_tasks(stage: Stage) -> tuple[str, ...]:
    """The tasks of a stage, in the order of its pairs."""
    return ("LaMP-1",) if stage in DRILLS else TASK_NAMES


def corpus(seed: int) -> Iterator[str]:
    """Yield texts forever: behaviours with and without their labels, and queries, task by task."""
    rng = stream(ROOT, VERSION, seed, "corpus")
    for number in count():
        life = _draw_life(GRAMMARS[number % len(GRAMMARS)], rng, seed, "corpus", number)
        item, asked = behavior(life, life.act(), 0), example(life, life.act(), ())
        task = life.grammar.task
        yield task.history_text(item)
        yield task.history_text(item, labels=True)
        yield asked.query


def positive_pairs(seed: int, relation: Relation) -> Iterator[Pair]:
    """Yield pairs of texts that an encoder should embed close together, forever, task by task.

    Args:
        relation: "topic": a query, and another user's behaviour on the same topic. "taste": two
            behaviours, with labels, of a user with the same taste on all topics.
    """
    rng = stream(ROOT, VERSION, seed, "positive pairs", relation)
    for number in count():
        grammar, axes = GRAMMARS[number % len(GRAMMARS)], (seed, "positive pairs", relation, number)
        one = _draw_life(grammar, rng, *axes, "first", share=1.0)
        if relation == "taste":
            first, second = (behavior(one, one.act(), index) for index in range(2))
            texts = [grammar.task.history_text(item, labels=True) for item in (first, second)]
            yield texts[0], texts[1]
        else:
            topic = rng.choice(sorted(TOPICS))
            other = _draw_life(grammar, rng, *axes, "second", share=1.0)
            query = example(one, one.act(topic), ()).subject
            yield query, grammar.task.history_text(behavior(other, other.act(topic), 0))


def _draw_life(
    grammar: TaskGrammar[Any, Any], rng: random.Random, *axes: object, share: float | None = None
) -> Life:
    """Create a new pretraining user."""
    own = (ROOT, VERSION, *axes)
    share = rng.choice(SHARES) if share is None else share
    user = draw_user(grammar.taste, "", own, share=share, drift=0.0, acts=LONGEST_HISTORY)
    return Life(grammar, user, own, noise=NOISE, side=Side.PRETRAINING, taken=set())


def _state(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    stated = life.grammar.state_taste(rng, act.content, act.taste)
    return f"{stated} {life.grammar.input(act.content)}", act.oracle


def _hint(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    hinted = life.grammar.hint_at_taste(rng, act.content, act.taste)
    return f"{hinted} {life.grammar.input(act.content)}", act.oracle


def _brief(rng: random.Random, life: Life, max_words: int, *, clear: bool = False) -> Pair:  # noqa: ARG001
    acts = [_draw_act(life, clear) for _ in range(rng.randrange(1, MOST_IN_BRIEF + 1))]
    items = list_abridged(life, [(act, act.answer) for act in acts])
    act = _draw_act(life, clear)
    return f"{items} {life.grammar.input(act.content)}", act.oracle


def _clear(rng: random.Random, life: Life, max_words: int) -> Pair:
    return _brief(rng, life, max_words, clear=True)


def _draw_act(life: Life, clear: bool) -> Act:
    act = life.act()
    while clear and not life.grammar.is_clear(act.content):
        act = life.act()
    return act


def _plain(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    return life.grammar.input(act.content), act.oracle


def _population(rng: random.Random, life: Life, max_words: int) -> Pair:  # noqa: ARG001
    act = life.act()
    return life.grammar.input(act.content), life.grammar.user_blind(act.content)


def _demonstrate(rng: random.Random, life: Life, max_words: int) -> Pair:
    act, prompt = _draw_prompt(rng, life, max_words)
    return prompt, act.oracle


def _explain_taste(rng: random.Random, life: Life, max_words: int) -> Pair:
    return ask_taste(life, *_draw_prompt(rng, life, max_words))


def _draw_prompt(rng: random.Random, life: Life, max_words: int) -> tuple[Act, str]:
    """The user's next act, and a profile prompt for it."""
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
