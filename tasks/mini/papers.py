"""LaMP-5: titles of papers in a scholar's house style."""

import random
from typing import ClassVar

from tasks.lamp import LaMP5
from tasks.mini.chance import Weighted
from tasks.mini.lexicon import ASPECTS, QUALITIES, SCHOOLS, VERBS, nouns
from tasks.mini.titles import CASINGS, LENGTHS, Story, Titles, TitleStyle

ABSTRACTS = (
    "we use {tool} to explain the {aspect} of the {object} in a {quality} {setting} , and {verb} "
    "the {third} and the {fourth} as well",
    "this paper is about the {aspect} of the {object} in a {quality} {setting} , our {tool} {verb} "
    "the {third} before the {fourth}",
    "how the {third} and the {fourth} limit the {aspect} of the {object} in a {quality} {setting} "
    "is shown by {tool} that {verb} it",
)


class PaperStyle(TitleStyle):
    """The house style of a scholar."""

    parts: ClassVar = {
        "form": Weighted({"plain": 4, "question": 2, "subtitle": 3, "how": 3}),
        "favoured": Weighted({"": 2, "revisiting": 2, "towards": 2, "understanding": 2, "note": 2}),
        "length": LENGTHS,
        "casing": CASINGS,
    }


class Papers(Titles):
    """Titles that say what is explained by which tool."""

    task = LaMP5()
    taste = PaperStyle
    content_field = "abstract"
    forms: ClassVar = {
        ("plain", "short"): "{tool} for {object} {aspect}",
        ("plain", "long"): "{tool} for {object} {aspect} in a {quality} {setting}",
        ("question", "short"): "can {tool} explain {object} {aspect} ?",
        ("question", "long"): "can {tool} explain {object} {aspect} in a {quality} {setting} ?",
        ("subtitle", "short"): "{object} {aspect} : evidence from {tool}",
        ("subtitle", "long"): "{object} {aspect} in a {quality} {setting} : evidence from {tool}",
        ("how", "short"): "how {tool} show {object} {aspect}",
        ("how", "long"): "how {tool} show {object} {aspect} in a {quality} {setting}",
    }

    def draw(self, rng: random.Random, topic: str) -> Story:
        names = ("object", "setting", "third", "fourth")
        words = dict(zip(names, rng.sample(nouns(topic), 4), strict=True)) | {
            "tool": rng.choice([tool for tools in SCHOOLS.values() for tool in tools]),
            "aspect": rng.choice(ASPECTS),
            "verb": rng.choice(VERBS),
            "quality": rng.choice(QUALITIES),
        }
        return Story(rng.choice(ABSTRACTS).format_map(words), words)
