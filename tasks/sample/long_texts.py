"""The sample of LongLaMP's tasks: short texts in the form of abstracts, reviews and posts."""

import random

from tasks.longlamp import LongLaMPAbstract, LongLaMPReview, LongLaMPTask, LongLaMPTopic
from tasks.sample.grammar import (
    OPINIONS,
    TOPICS,
    Habits,
    SampleAct,
    SampleGrammar,
    draw_sentence,
    draw_title,
)


class SampleLongTexts(SampleGrammar):
    """A user writes on their topics, and ends with their signature."""

    task: type[LongLaMPTask]

    def make(
        self, rng: random.Random, habits: Habits, topic: str, fields: dict[str, str]
    ) -> SampleAct:
        """The act that asks for a text with these fields."""
        text = f"{draw_sentence(rng, topic)} {habits.signature}."
        return SampleAct(
            input=f"{self.task.instruction} {self.task.request_template.format(**fields)}",
            gold=text,
            item={**fields, self.task.text_field: text},
        )


class SampleAbstracts(SampleLongTexts):
    """LongLaMP's abstracts: a title and three key phrases."""

    task, folder = LongLaMPAbstract, LongLaMPAbstract.folder

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        topic = rng.choice(habits.topics)
        act = self.make(rng, habits, topic, {"title": draw_title(rng, topic)})
        phrases = enumerate(rng.sample(TOPICS[topic].split(), 3), 1)
        items = " ".join(f"{number}. {phrase}" for number, phrase in phrases)
        return SampleAct(f"{act.input} using the following items: {items}", act.gold, act.item)


class SampleProductReviews(SampleLongTexts):
    """LongLaMP's reviews: a rating, a description and a summary."""

    task, folder = LongLaMPReview, LongLaMPReview.folder

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        topic, overall = rng.choice(habits.topics), rng.choice(sorted(OPINIONS))
        fields = {
            "overall": str(overall),
            "description": draw_title(rng, topic),
            "summary": f"A {rng.choice(OPINIONS[overall].split())} thing",
        }
        return self.make(rng, habits, topic, fields)


class SamplePosts(SampleLongTexts):
    """LongLaMP's Reddit posts: a summary."""

    task, folder = LongLaMPTopic, LongLaMPTopic.folder

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        topic = rng.choice(habits.topics)
        summary = f"{draw_title(rng, topic)}: {draw_title(rng, topic).lower()}"
        return self.make(rng, habits, topic, {"summary": summary})


LONG_GRAMMARS: tuple[SampleGrammar, ...] = (
    SampleAbstracts(),
    SampleProductReviews(),
    SamplePosts(),
)
