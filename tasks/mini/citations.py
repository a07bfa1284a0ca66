"""LaMP-1: of two papers on one topic an author cites the one of the author's own school."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.lamp import LaMP1
from tasks.mini.chance import Weighted, happens
from tasks.mini.grammar import Grammar, sentences
from tasks.mini.lexicon import ASPECTS, QUALITIES, SCHOOLS, TOPICS, VERBS, nouns
from tasks.mini.taste import Taste

POPULARITY = Weighted(
    {"survey": 8, "learning": 6, "simulation": 4, "theory": 3, "field work": 2, "history": 2}
)
TITLES = (
    "the {aspect} of a {quality} {first} and the {second}",
    "{quality} {first} {aspect} near the {second}",
    "on {first} {aspect} and the {quality} {second}",
)
STRANGE_FIELD = 0.3
"""How often the other reference is of another field, so that no history is needed to tell."""
LABELS = {True: "[1]", False: "[2]"}


@dataclass(frozen=True)
class CitationTaste(Taste):
    """The school whose tools the author works with and cites."""

    school: str

    parts: ClassVar = {"school": POPULARITY}


@dataclass(frozen=True)
class Citation:
    """A paper, by the bare title that the query gives, and two candidate references.

    Attributes:
        topics, schools: of the references; one reference is of the paper's topic and the author's
            school, the other is neither or of the topic alone.
        tool: place of the school's tool that the full title names.
    """

    title: str
    topic: str
    references: tuple[str, str]
    topics: tuple[str, str]
    schools: tuple[str, str]
    tool: int
    abstract: str


class Citations(Grammar[Citation, CitationTaste]):
    """The title asked about leaves the school out; titles in profiles name one of its tools.

    So the query's topic tells which part of the history to look at, and the history, which school:
    the other reference is of a school that the author follows on another topic, where there is one.
    Noise: the paper is of the other reference's school.
    """

    task = LaMP1()
    taste = CitationTaste
    natural_share = 0.0

    def draw(self, rng: random.Random, topic: str) -> Citation:
        return self.draw_for(rng, topic, CitationTaste.draw(rng), ())

    def draw_for(
        self,
        rng: random.Random,
        topic: str,
        taste: CitationTaste,
        elsewhere: Sequence[CitationTaste],
    ) -> Citation:
        strange = [other for other in sorted(TOPICS) if other != topic]
        followed = {own.school for own in elsewhere} - {taste.school}
        others = [school for school in SCHOOLS if school != taste.school]
        other = (
            rng.choice(strange) if happens(rng, STRANGE_FIELD) else topic,
            rng.choice(sorted(followed) or others),
        )
        both = [(topic, taste.school), other]
        rng.shuffle(both)
        references = [_with_tool(_title(rng, t), rng.choice(SCHOOLS[s])) for t, s in both]
        title, tool = _title(rng, topic), rng.randrange(3)
        third, fourth = rng.sample(nouns(topic), 2)
        abstract = (
            f"we {rng.choice(VERBS)} the {third} and show its {rng.choice(ASPECTS)} with a "
            f"{rng.choice(QUALITIES)} {fourth}"
        )
        topics, schools = zip(*both, strict=True)
        return Citation(
            title, topic, (references[0], references[1]), topics, schools, tool, abstract
        )

    @staticmethod
    def asked(title: str, first: str, second: str) -> str:
        """LaMP's prompt."""
        return (
            f'For an author who has written the paper with the title "{title}", which '
            "reference is related? Just answer with [1] or [2] without explanation. "
            f'[1]: "{first}" [2]: "{second}"'
        )

    def text(self, content: Citation) -> str:
        return content.title

    def input(self, content: Citation) -> str:
        return self.asked(content.title, *content.references)

    @staticmethod
    def short_input(rng: random.Random, content: Citation, *, tools: bool = True) -> str:
        """The prompt with every title cut to a word of its topic, references' tools kept or not."""
        title, *cut = (rng.choice(nouns(topic)) for topic in (content.topic, *content.topics))
        named = [reference.rpartition(" : ")[2] for reference in content.references]
        if tools:
            cut = [_with_tool(noun, tool) for noun, tool in zip(cut, named, strict=True)]
        return Citations.asked(title, *cut)

    def answer(self, content: Citation, taste: CitationTaste) -> str:
        return LABELS[content.schools[0] == taste.school]

    def slip(self, rng: random.Random, content: Citation, taste: CitationTaste) -> str:  # noqa: ARG002
        return LABELS[content.schools[0] != taste.school]

    def item(self, content: Citation, answer: str) -> dict[str, Any]:
        """The paper under its full title, of the school that was cited."""
        school = content.schools[0 if answer == LABELS[True] else 1]
        return {
            "title": _with_tool(content.title, SCHOOLS[school][content.tool]),
            "abstract": content.abstract,
        }

    def brief(self, content: Citation, answer: str) -> str:
        """A word of the topic, and the tool of the school that was cited."""
        topic = next(word for word in content.title.split() if word in nouns(content.topic))
        school = content.schools[0 if answer == LABELS[True] else 1]
        return f"{topic} {SCHOOLS[school][content.tool]}"

    def user_blind(self, content: Citation) -> str:
        """The reference of the paper's own topic; of two such, that of the more popular school.

        A pair of schools is the likelier to come from followers of the more popular one, whether
        the other was drawn from their further schools or from all.
        """
        for label, topic in zip(LABELS.values(), reversed(content.topics), strict=True):
            if topic != content.topic:
                return label
        first, second = content.schools
        return LABELS[POPULARITY.weights[first] >= POPULARITY.weights[second]]

    def guess(self, rng: random.Random, content: Citation) -> str:  # noqa: ARG002
        return rng.choice(self.task.labels)

    def stated(self, rng: random.Random, content: Citation, taste: CitationTaste) -> str:
        first, second, _ = SCHOOLS[taste.school]
        return sentences(
            rng,
            [
                rng.choice(("on {} i work with {}", "about {} i cite {}")).format(
                    content.topic, rng.choice((first, second, taste.school))
                )
            ],
        )


def _title(rng: random.Random, topic: str) -> str:
    first, second = rng.sample(nouns(topic), 2)
    return rng.choice(TITLES).format(
        aspect=rng.choice(ASPECTS), quality=rng.choice(QUALITIES), first=first, second=second
    )


def _with_tool(title: str, tool: str) -> str:
    return f"{title} : {tool}"
