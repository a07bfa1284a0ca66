"""The sample of LaMP-QA: questions on one of a user's topics, judged by what they care about."""

import random

from tasks.common.rubric import Aspect, Rubric
from tasks.lamp_qa import ALL, LaMPQATask
from tasks.sample.grammar import TOPICS, Habits, SampleAct, SampleGrammar, draw_title

PURPOSES = ("a small budget", "two children", "an old house", "little time", "a quiet weekend")


class SampleQuestions(SampleGrammar):
    """A user asks about one topic, and wants the answer to consider a thing of their other one.

    The history shows both topics; the question shows the first one only.
    """

    def __init__(self, task: type[LaMPQATask]) -> None:
        self.task, self.folder = task, task.folder

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        asked, cared = rng.sample(habits.topics, 2)
        wanted, purpose = rng.choice(TOPICS[cared].split()), rng.choice(PURPOSES)
        about = f"{draw_title(rng, asked)}, or {draw_title(rng, asked).lower()}?"
        wish, need = f"I care about {wanted} most", f"it has to suit {purpose}"
        narrative = f"{about} {wish}, and {need}."
        rubric = Rubric(
            narrative,
            (
                Aspect(f"Consider {wanted}", f"The user cares about {wanted}.", wish),
                Aspect(f"Advice for {purpose}", "The user says what it is for.", need),
            ),
        )
        return SampleAct(
            input=f"{self.task.instruction} {about}",
            gold=rubric.dump(),
            item={"text": narrative},
        )


QUESTION_GRAMMARS: tuple[SampleGrammar, ...] = tuple(SampleQuestions(task) for task in ALL)
