"""The common part of LaMP-4 and LaMP-5: the user's house style turns a text into a title."""

import random
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

from tasks.mini.chance import Weighted
from tasks.mini.grammar import TaskGrammar, join_sentences
from tasks.mini.overlap import best_taste
from tasks.mini.taste import Taste

LENGTHS = Weighted({"short": 1, "long": 1})
CASINGS = Weighted({"lower": 1, "title": 1})


@dataclass(frozen=True)
class TitleStyle(Taste):
    """A house style.

    Attributes:
        form: plain, question, subtitle or how.
        favoured: the first word of every title; "" for none.
        length: short, or long, which adds a detail.
        casing: lower, or title (Every Word).
    """

    form: str
    favoured: str
    length: str
    casing: str


@dataclass(frozen=True)
class Story:
    """A text, and those of its words that titles use."""

    text: str
    words: Mapping[str, str]


class Titles(TaskGrammar[Story, TitleStyle]):
    """Titles are templates over the words of a text.

    Class attributes:
        content_field: the field of a profile item that contains the text.
        forms: (form, length) → template over the story's words.
    """

    content_field: ClassVar[str]
    taste: type[TitleStyle]
    forms: ClassVar[Mapping[tuple[str, str], str]]
    natural_share = 0.5

    @abstractmethod
    def draw(self, rng: random.Random, topic: str) -> Story: ...

    def text(self, content: Story) -> str:
        return content.text

    def answer(self, content: Story, taste: TitleStyle) -> str:
        title = self.forms[taste.form, taste.length].format_map(content.words)
        if taste.favoured:
            title = f"{taste.favoured} - {title}"
        if taste.casing == "title":
            title = " ".join(word[:1].upper() + word[1:] for word in title.split())
        return title

    def slip(self, rng: random.Random, content: Story, taste: TitleStyle) -> str:
        """The title in a different style."""
        return self.answer(content, rng.choice(_others(taste)))

    def item(self, content: Story, answer: str) -> dict[str, Any]:
        return {self.content_field: content.text, "title": answer}

    def user_blind(self, content: Story) -> str:
        """The title of the style with the highest expected ROUGE-1 over all styles."""
        return self.answer(content, _best_style(type(self)))

    def guess(self, rng: random.Random, content: Story) -> str:
        values = {name: rng.choice(list(part.weights)) for name, part in self.taste.parts.items()}
        return self.answer(content, self.taste(**values))

    def state_taste(self, rng: random.Random, content: Story, taste: TitleStyle) -> str:  # noqa: ARG002
        phrases = [
            rng.choice(("i write {} titles", "my titles are {}")).format(taste.length),
            f"the form is {taste.form}",
            f"the case is {taste.casing}",
            f"i begin with {taste.favoured}" if taste.favoured else "i begin with no extra word",
        ]
        return join_sentences(rng, phrases)


@cache
def _best_style(titles: type[Titles]) -> TitleStyle:
    """The best style, computed once on placeholder words: it is the same for all stories."""
    stand_ins: dict[str, str] = defaultdict(lambda: f"word{len(stand_ins)}")
    story = Story("", stand_ins)
    population = titles.taste.population("form", "favoured", "length")
    return best_taste(population, lambda style: titles().answer(story, style))


def _others(style: TitleStyle) -> list[TitleStyle]:
    """The styles whose titles differ in more than casing, which ROUGE ignores."""
    population = type(style).population("form", "favoured", "length")
    seen = replace(style, casing=CASINGS.most_common())
    return [other for other, _ in population if other != seen]
