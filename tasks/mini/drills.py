"""Exercises on LaMP-1, from single steps of its inference to the whole profile prompt.

Finding the reference that an author would cite takes four steps: the field (topic) of the title,
the references in that field, the shown papers in that field, and their school. None is learned from
whole prompts alone, because the answer stays at chance until all four steps work.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, get_args

from tasks.mini.citations import Citation, Citations
from tasks.mini.lexicon import nouns
from tasks.mini.life import Act, Life
from tasks.mini.prompts import MAX_WORDS, ask_taste, behavior, list_abridged, profile_prompt

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
OTHER_TOPICS = 3
"""Number of a user's topics besides the one of the query."""


def _field(rng: random.Random, life: Life) -> Pair:  # noqa: ARG001
    content = _draw_act(life, fields=2).content
    return life.grammar.input(content), life.grammar.user_blind(content)


def _short_field(rng: random.Random, life: Life) -> Pair:
    content = _draw_act(life, fields=2).content
    return Citations.short_input(rng, content, tools=False), life.grammar.user_blind(content)


def _thin_field(rng: random.Random, life: Life) -> Pair:
    content = _draw_act(life, fields=2).content
    share = rng.random()
    title, *references = (
        _thin_text(rng, text, topic, share)
        for text, topic in zip(
            (content.title, *content.references), (content.topic, *content.topics), strict=True
        )
    )
    return Citations.format_prompt(title, *references), life.grammar.user_blind(content)


def _thin_text(rng: random.Random, text: str, topic: str, share: float) -> str:
    """Keep each word with probability `share`, and at least one noun of the topic."""
    words = text.split()
    kept = [rng.random() < share for _ in words]
    kept[rng.choice([place for place, word in enumerate(words) if word in nouns(topic)])] = True
    return " ".join(word for word, keep in zip(words, kept, strict=True) if keep)


def _one(rng: random.Random, life: Life) -> Pair:
    act, prompt = _short_prompt(rng, life, 0)
    return prompt, act.oracle


def _few(rng: random.Random, life: Life) -> Pair:
    act, prompt = _short_prompt(rng, life, OTHER_TOPICS)
    return prompt, act.oracle


def _few_explained(rng: random.Random, life: Life) -> Pair:
    return ask_taste(life, *_short_prompt(rng, life, OTHER_TOPICS))


def _short_prompt(rng: random.Random, life: Life, most: int) -> tuple[Act, str]:
    act, shown = _draw_shown(rng, life, most)
    return act, f"{_list_answers(life, shown)} {Citations.short_input(rng, act.content)}"


def _thin_few(rng: random.Random, life: Life) -> Pair:
    act, shown = _draw_shown(rng, life, OTHER_TOPICS)
    asked = _thin_titles(rng, act.content, rng.random())
    return f"{_list_answers(life, shown)} {life.grammar.input(asked)}", act.oracle


def _items(rng: random.Random, life: Life) -> Pair:
    act, prompt = _profile_prompt(rng, life, _keep_whole)
    return prompt, act.oracle


def _items_explained(rng: random.Random, life: Life) -> Pair:
    return ask_taste(life, *_profile_prompt(rng, life, _keep_whole))


def _thin_items(rng: random.Random, life: Life) -> Pair:
    act, prompt = _profile_prompt(rng, life, _thin_titles)
    return prompt, act.oracle


def _thin_items_explained(rng: random.Random, life: Life) -> Pair:
    return ask_taste(life, *_profile_prompt(rng, life, _thin_titles))


def _profile_prompt(
    rng: random.Random, life: Life, cut: Callable[[random.Random, Citation, float], Citation]
) -> tuple[Act, str]:
    act, shown = _draw_shown(rng, life, OTHER_TOPICS)
    share = rng.random()
    items = [
        behavior(life, replace(one, content=cut(rng, one.content, share), answer=one.oracle), n)
        for n, one in enumerate(shown)
    ]
    asked = replace(act, content=cut(rng, act.content, share))
    return act, profile_prompt(life, asked, items, MAX_WORDS)


def _keep_whole(rng: random.Random, content: Citation, share: float) -> Citation:  # noqa: ARG001
    return content


def _draw_shown(rng: random.Random, life: Life, most: int) -> tuple[Act, list[Act]]:
    """A query, and acts to show: one on its topic and up to `most` on distinct other topics."""
    act = _draw_act(life, fields=1)
    number = rng.randrange(most + 1)
    elsewhere = [topic for topic in life.user.topics if topic != act.topic]
    rng.shuffle(elsewhere)
    shown = [life.act(topic) for topic in (act.topic, *elsewhere[:number])]
    rng.shuffle(shown)
    return act, shown


def _list_answers(life: Life, shown: list[Act]) -> str:
    return list_abridged(life, [(act, act.oracle) for act in shown])


def _thin_titles(rng: random.Random, content: Citation, share: float) -> Citation:
    """Drop words from the titles; references keep their tools."""
    title = _thin_text(rng, content.title, content.topic, share)
    cut = []
    for reference, topic in zip(content.references, content.topics, strict=True):
        words, separator, tool = reference.rpartition(" : ")
        cut.append(f"{_thin_text(rng, words, topic, share)}{separator}{tool}")
    first, second = cut
    return replace(content, title=title, references=(first, second))


def _draw_act(life: Life, *, fields: int) -> Act:
    """Draw acts until one's references cover `fields` fields."""
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
"""Name of the drill → function that returns (input, output) for a user's next act.

- "field": which reference is in the title's field?
- "one": an item on the query's topic, then a prompt whose references differ only in their school.
- "few": the same with up to three items on other topics.
- "items": the same as an official profile prompt.

In "short", "one" and "few" drills, titles in the prompt are cut to a noun of their topic, and items
to a noun and a tool. In "thin" drills, titles lose some words, from none to all but such a noun;
"thin few" thins only the prompt. "explained" drills start with ASK_TASTE and are answered by the
school in words, which is more informative than one of two labels.
"""
LOCAL_DRILLS: frozenset[Drill] = frozenset(
    drill for drill in get_args(Drill) if not drill.endswith("field")
)
"""Drills whose users have a different taste on every topic."""
