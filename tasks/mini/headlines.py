"""LaMP-4: headlines of news stories in an author's house style."""

import random
from typing import ClassVar

from tasks.lamp import LaMP4
from tasks.mini.chance import Weighted
from tasks.mini.lexicon import ACTORS, MONTHS, QUALITIES, VERBS, nouns
from tasks.mini.titles import CASINGS, LENGTHS, Story, Titles, TitleStyle

TEXTS = (
    "the {quality} {actor} {verb}s the {object} in {month} , and the {other} beside the {third} "
    "is to stay until the {fourth} is ready",
    "in {month} a {quality} {actor} {verb}s the {object} , because the {other} and the {third} "
    "need a new {fourth}",
    "people near the {other} say that the {quality} {actor} {verb}s the {object} in {month} and "
    "not the {third} or the {fourth}",
)


class HeadlineStyle(TitleStyle):
    """The house style of a news author."""

    parts: ClassVar = {
        "form": Weighted({"plain": 4, "question": 3, "subtitle": 3, "how": 2}),
        "favoured": Weighted({"": 2, "breaking": 2, "exclusive": 2, "finally": 2, "opinion": 2}),
        "length": LENGTHS,
        "casing": CASINGS,
    }


class Headlines(Titles):
    """Headlines that say who does what."""

    task = LaMP4()
    taste = HeadlineStyle
    content_field = "text"
    forms: ClassVar = {
        ("plain", "short"): "{actor} {verb}s {object}",
        ("plain", "long"): "{quality} {actor} {verb}s {object} in {month}",
        ("question", "short"): "will {actor} {verb} {object} ?",
        ("question", "long"): "will {quality} {actor} {verb} {object} in {month} ?",
        ("subtitle", "short"): "{object} : the story of {actor}",
        ("subtitle", "long"): "{object} in {month} : the story of {quality} {actor}",
        ("how", "short"): "how {actor} {verb}s {object}",
        ("how", "long"): "how {quality} {actor} {verb}s {object} in {month}",
    }

    def draw(self, rng: random.Random, topic: str) -> Story:
        names = ("object", "other", "third", "fourth")
        words = dict(zip(names, rng.sample(nouns(topic), 4), strict=True)) | {
            "actor": rng.choice(ACTORS),
            "verb": rng.choice(VERBS),
            "quality": rng.choice(QUALITIES),
            "month": rng.choice(MONTHS),
        }
        return Story(rng.choice(TEXTS).format_map(words), words)
