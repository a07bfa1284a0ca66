"""Exercises on LaMP-1 that no LaMP prompt asks, one step of its inference each.

Which reference an author would cite takes four steps: the field of the title, the references of
that field, the papers shown that are of it, and their school. None is learned from whole prompts,
whose answer is right or wrong by a half until all four are there.
"""

import random
from collections.abc import Callable, Mapping
from typing import Literal

from tasks.mini.citations import Citations
from tasks.mini.lexicon import ASK_TASTE, ASK_TOPIC, nouns
from tasks.mini.life import Act, Life

Drill = Literal[
    "topics",
    "field",
    "short field",
    "thin field",
    "bind",
    "pair",
    "pair explained",
    "by topic",
    "short by topic",
]
Pair = tuple[str, str]
TRIED = 50
"""Queries drawn for a user, until the other reference is of a school that the user follows."""


def _topics(rng: random.Random, life: Life) -> Pair:  # noqa: ARG001
    content = life.act().content
    named = " , ".join((content.topic, *content.topics))
    return f"{ASK_TOPIC} {life.grammar.input(content)}", named


def _field(rng: random.Random, life: Life) -> Pair:  # noqa: ARG001
    content = _drawn(life, fields=2).content
    return life.grammar.input(content), life.grammar.user_blind(content)


def _short_field(rng: random.Random, life: Life) -> Pair:
    content = _drawn(life, fields=2).content
    return Citations.short_input(rng, content, tools=False), life.grammar.user_blind(content)


def _thin_field(rng: random.Random, life: Life) -> Pair:
    content = _drawn(life, fields=2).content
    share = rng.random()
    title, *references = (
        _thinned(rng, text, topic, share)
        for text, topic in zip(
            (content.title, *content.references), (content.topic, *content.topics), strict=True
        )
    )
    return Citations.asked(title, *references), life.grammar.user_blind(content)


def _thinned(rng: random.Random, text: str, topic: str, share: float) -> str:
    """About that share of the words, and at least one of the topic's."""
    words = text.split()
    kept = [rng.random() < share for _ in words]
    kept[rng.choice([place for place, word in enumerate(words) if word in nouns(topic)])] = True
    return " ".join(word for word, stays in zip(words, kept, strict=True) if stays)


def _bind(rng: random.Random, life: Life) -> Pair:
    acts = [life.act(topic) for topic in life.user.topics[: rng.randrange(2, 5)]]
    rng.shuffle(acts)
    asked = acts[rng.randrange(len(acts))]
    noun = rng.choice(nouns(asked.topic))
    tool = _said([asked], noise=False).split(" ", 1)[1]
    return f'{ASK_TOPIC} i say {_said(acts, noise=False)} . "{noun}"', f"{asked.topic} {tool}"


def _pair(rng: random.Random, life: Life) -> Pair:
    act, prompt = _pair_shown(rng, life)
    return prompt, act.oracle


def _pair_explained(rng: random.Random, life: Life) -> Pair:
    act, prompt = _pair_shown(rng, life)
    return f"{ASK_TASTE} {prompt}", _explained(act)


def _pair_shown(rng: random.Random, life: Life) -> tuple[Act, str]:
    """An item on the query's topic, and one on a topic on which the other school is followed."""
    for _ in range(TRIED):
        act = life.act()
        (other,) = {*act.content.schools} - {act.taste.school}
        elsewhere = [t for t in life.user.topics if life.user.taste(t, 0).school == other]
        if elsewhere and len({*act.content.topics}) == 1:
            break
    else:
        elsewhere = [topic for topic in life.user.topics if topic != act.topic]
    acts = [life.act(act.topic), life.act(rng.choice(elsewhere))]
    rng.shuffle(acts)
    said = _said(acts, noise=False)
    return act, f"i say {said} . {Citations.short_input(rng, act.content, tools=True)}"


def _by_topic(rng: random.Random, life: Life) -> Pair:
    acts, act = _on_all_topics(rng, life), _drawn(life, fields=1)
    return f"i say {_said(acts)} . {life.grammar.input(act.content)}", act.oracle


def _short_by_topic(rng: random.Random, life: Life) -> Pair:
    acts, act = _on_all_topics(rng, life), _drawn(life, fields=1)
    short = Citations.short_input(rng, act.content, tools=True)
    return f"i say {_said(acts)} . {short}", act.oracle


def _on_all_topics(rng: random.Random, life: Life) -> list[Act]:
    """Each of the user's topics once or twice, so that no school is told by numbers."""
    topics = list(life.user.topics) * rng.randrange(1, 3)
    rng.shuffle(topics)
    return [life.act(topic) for topic in topics]


def _drawn(life: Life, *, fields: int) -> Act:
    """An act whose references are of so many fields."""
    act = life.act()
    while len(set(act.content.topics)) != fields:
        act = life.act()
    return act


def _said(acts: list[Act], *, noise: bool = True) -> str:
    answers = (act.answer if noise else act.oracle for act in acts)
    items = (act.content for act in acts)
    return " , ".join(map(Citations().brief, items, answers))


def _explained(act: Act) -> str:
    return Citations().stated(random.Random(0), act.content, act.taste)


DRILLS: Mapping[str, Callable[[random.Random, Life], Pair]] = {
    "topics": _topics,
    "field": _field,
    "short field": _short_field,
    "thin field": _thin_field,
    "bind": _bind,
    "pair": _pair,
    "pair explained": _pair_explained,
    "by topic": _by_topic,
    "short by topic": _short_by_topic,
}
"""(input, output) of a user's next act. "short": titles cut to a noun of their topic;
"thin": titles without some of their words, from none to all but a noun of their topic."""
LOCAL_DRILLS: frozenset[Drill] = frozenset(
    {"bind", "pair", "pair explained", "by topic", "short by topic"}
)
"""Drills whose users have a taste of its own for every topic."""
