"""Exercises on LaMP-1, from one step of its inference to its whole profile prompt.

Which reference an author would cite takes four steps: the field of the title, the references of
that field, the papers shown that are of it, and their school. None is learned from whole prompts,
whose answer is right or wrong by a half until all four are there.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, get_args

from tasks.mini.citations import Citation, Citations
from tasks.mini.lexicon import nouns
from tasks.mini.life import Act, Life
from tasks.mini.prompts import MAX_WORDS, behavior, explained, in_brief, profile_prompt

Drill = Literal[
    "field",
    "short field",
    "thin field",
    "one",
    "few",
    "few explained",
    "thin few",
    "items",
    "items explained",
    "thin items",
    "thin items explained",
]
Pair = tuple[str, str]
OTHERS = 3
"""Topics of a user beside that of the query."""


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


def _one(rng: random.Random, life: Life) -> Pair:
    act, prompt = _short_shown(rng, life, 0)
    return prompt, act.oracle


def _few(rng: random.Random, life: Life) -> Pair:
    act, prompt = _short_shown(rng, life, OTHERS)
    return prompt, act.oracle


def _few_explained(rng: random.Random, life: Life) -> Pair:
    return explained(life, *_short_shown(rng, life, OTHERS))


def _short_shown(rng: random.Random, life: Life, most: int) -> tuple[Act, str]:
    act, shown = _among(rng, life, most)
    return act, f"{_said(life, shown)} {Citations.short_input(rng, act.content)}"


def _thin_few(rng: random.Random, life: Life) -> Pair:
    act, shown = _among(rng, life, OTHERS)
    asked = _thin(rng, act.content, rng.random())
    return f"{_said(life, shown)} {life.grammar.input(asked)}", act.oracle


def _items(rng: random.Random, life: Life) -> Pair:
    act, prompt = _profile_shown(rng, life, _whole)
    return prompt, act.oracle


def _items_explained(rng: random.Random, life: Life) -> Pair:
    return explained(life, *_profile_shown(rng, life, _whole))


def _thin_items(rng: random.Random, life: Life) -> Pair:
    act, prompt = _profile_shown(rng, life, _thin)
    return prompt, act.oracle


def _thin_items_explained(rng: random.Random, life: Life) -> Pair:
    return explained(life, *_profile_shown(rng, life, _thin))


def _profile_shown(
    rng: random.Random, life: Life, cut: Callable[[random.Random, Citation, float], Citation]
) -> tuple[Act, str]:
    act, shown = _among(rng, life, OTHERS)
    share = rng.random()
    items = [
        behavior(life, replace(one, content=cut(rng, one.content, share), answer=one.oracle), n)
        for n, one in enumerate(shown)
    ]
    asked = replace(act, content=cut(rng, act.content, share))
    return act, profile_prompt(life, asked, items, MAX_WORDS)


def _whole(rng: random.Random, content: Citation, share: float) -> Citation:  # noqa: ARG001
    return content


def _among(rng: random.Random, life: Life, most: int) -> tuple[Act, list[Act]]:
    """A query, and an act on its topic among up to `most` on others, each on another."""
    act = _drawn(life, fields=1)
    number = rng.randrange(most + 1)
    elsewhere = [topic for topic in life.user.topics if topic != act.topic]
    rng.shuffle(elsewhere)
    shown = [life.act(topic) for topic in (act.topic, *elsewhere[:number])]
    rng.shuffle(shown)
    return act, shown


def _said(life: Life, shown: list[Act]) -> str:
    return in_brief(life, [(act, act.oracle) for act in shown])


def _thin(rng: random.Random, content: Citation, share: float) -> Citation:
    """Its titles without some of their words; references keep their tools."""
    title = _thinned(rng, content.title, content.topic, share)
    cut = []
    for reference, topic in zip(content.references, content.topics, strict=True):
        words, separator, tool = reference.rpartition(" : ")
        cut.append(f"{_thinned(rng, words, topic, share)}{separator}{tool}")
    first, second = cut
    return replace(content, title=title, references=(first, second))


def _drawn(life: Life, *, fields: int) -> Act:
    """An act whose references are of so many fields."""
    act = life.act()
    while len(set(act.content.topics)) != fields:
        act = life.act()
    return act


DRILLS: Mapping[str, Callable[[random.Random, Life], Pair]] = {
    "field": _field,
    "short field": _short_field,
    "thin field": _thin_field,
    "one": _one,
    "few": _few,
    "few explained": _few_explained,
    "thin few": _thin_few,
    "items": _items,
    "items explained": _items_explained,
    "thin items": _thin_items,
    "thin items explained": _thin_items_explained,
}
"""(input, output) of a user's next act.

- "field": which reference is of the title's field.
- "one": an item on the query's topic, then a prompt whose references differ in their school alone.
- "few": likewise, with up to three items on other topics.
- "items": likewise, in the official profile prompt.

"short", "one" and "few": titles of the prompt cut to a noun of their topic, items to a noun and a
tool. "thin": titles without some of their words, from none to all but such a noun; "thin few" thins
the prompt alone. "explained": after ASK_TASTE, answered by the school in words, which says more
than which of two references it is.
"""
LOCAL_DRILLS: frozenset[Drill] = frozenset(
    drill for drill in get_args(Drill) if not drill.endswith("field")
)
"""Drills whose users have a taste of its own for every topic."""
