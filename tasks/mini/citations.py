"""LaMP-1: of two papers on a topic, an author cites the one from their own school."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tasks.lamp import LaMP1
from tasks.mini.chance import Weighted, happens
from tasks.mini.grammar import TaskGrammar, join_sentences
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
OTHER_TOPIC_SHARE = 0.3
"""How often the wrong reference is on another topic, so that the query is answerable without a
history."""
LABELS = {True: "[1]", False: "[2]"}


@dataclass(frozen=True)
class CitationTaste(Taste):
    """The school whose tools the author uses and cites."""

    school: str

    parts: ClassVar = {"school": POPULARITY}


@dataclass(frozen=True)
class Citation:
    """A paper and two candidate references.

    Attributes:
        title: as in the query, without the tool.
        topic: of the paper.
        references: titles of the candidates, with their tools.
        topics, schools: of the candidates; one shares the paper's topic and the author's school,
            the other has another school and may have another topic.
        tool: index of the tool in the paper's full title among the tools of its school.
        abstract: of the paper.
    """

    title: str
    topic: str
    references: tuple[str, str]
    topics: tuple[str, str]
    schools: tuple[str, str]
    tool: int
    abstract: str


class Citations(TaskGrammar[Citation, CitationTaste]):
    """The query's title doesn't reveal the school; titles in profiles name one of its tools.

    So the query's topic determines which part of the history matters, and that part determines the
    school. If possible, the wrong reference is from a school that the author follows on another
    topic. With noise, the paper belongs to the wrong reference's school.
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
        other_topics = [other for other in sorted(TOPICS) if other != topic]
        followed = {own.school for own in elsewhere} - {taste.school}
        other_schools = [school for school in SCHOOLS if school != taste.school]
        wrong = (
            rng.choice(other_topics) if happens(rng, OTHER_TOPIC_SHARE) else topic,
            rng.choice(sorted(followed) or other_schools),
        )
        both = [(topic, taste.school), wrong]
        rng.shuffle(both)
        references = [_append_tool(_draw_title(rng, t), rng.choice(SCHOOLS[s])) for t, s in both]
        title, tool = _draw_title(rng, topic), rng.randrange(3)
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
    def format_prompt(title: str, first: str, second: str) -> str:
        """The official prompt."""
        return (
            f'For an author who has written the paper with the title "{title}", which '
            "reference is related? Just answer with [1] or [2] without explanation. "
            f'[1]: "{first}" [2]: "{second}"'
        )

    def text(self, content: Citation) -> str:
        return content.title

    def input(self, content: Citation) -> str:
        return self.format_prompt(content.title, *content.references)

    @staticmethod
    def short_input(rng: random.Random, content: Citation, *, tools: bool = True) -> str:
        """The prompt with titles cut to a noun of their topic; `tools` keeps references' tools."""
        title, *references = (
            rng.choice(nouns(topic)) for topic in (content.topic, *content.topics)
        )
        named = [reference.rpartition(" : ")[2] for reference in content.references]
        if tools:
            pairs = zip(references, named, strict=True)
            references = [_append_tool(noun, tool) for noun, tool in pairs]
        return Citations.format_prompt(title, *references)

    def answer(self, content: Citation, taste: CitationTaste) -> str:
        return LABELS[content.schools[0] == taste.school]

    def slip(self, rng: random.Random, content: Citation, taste: CitationTaste) -> str:  # noqa: ARG002
        return LABELS[content.schools[0] != taste.school]

    def item(self, content: Citation, answer: str) -> dict[str, Any]:
        """The paper with its full title, which names a tool of the school that was cited."""
        school = content.schools[0 if answer == LABELS[True] else 1]
        return {
            "title": _append_tool(content.title, SCHOOLS[school][content.tool]),
            "abstract": content.abstract,
        }

    def abridge(self, content: Citation, answer: str) -> str:
        """A noun of the topic, and the tool of the school that was cited."""
        topic = next(word for word in content.title.split() if word in nouns(content.topic))
        school = content.schools[0 if answer == LABELS[True] else 1]
        return f"{topic} {SCHOOLS[school][content.tool]}"

    def user_blind(self, content: Citation) -> str:
        """The reference on the paper's topic; if both are, the one from the more popular school.

        Given two schools, the author more likely follows the more popular one, whether the other
        was drawn from the author's further schools or from all.
        """
        for label, topic in zip(LABELS.values(), reversed(content.topics), strict=True):
            if topic != content.topic:
                return label
        first, second = content.schools
        return LABELS[POPULARITY.weights[first] >= POPULARITY.weights[second]]

    def guess(self, rng: random.Random, content: Citation) -> str:  # noqa: ARG002
        return rng.choice(self.task.labels)

    def state_taste(self, rng: random.Random, content: Citation, taste: CitationTaste) -> str:
        first, second, _ = SCHOOLS[taste.school]
        return join_sentences(
            rng,
            [
                rng.choice(("on {} i work with {}", "about {} i cite {}")).format(
                    content.topic, rng.choice((first, second, taste.school))
                )
            ],
        )


def _draw_title(rng: random.Random, topic: str) -> str:
    first, second = rng.sample(nouns(topic), 2)
    return rng.choice(TITLES).format(
        aspect=rng.choice(ASPECTS), quality=rng.choice(QUALITIES), first=first, second=second
    )


def _append_tool(title: str, tool: str) -> str:
    return f"{title} : {tool}"
