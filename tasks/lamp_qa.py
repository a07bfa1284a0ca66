"""LaMP-QA: questions of people who say elsewhere what they want to know, answered at length.

Source: Salemi and Zamani, "LaMP-QA: A Benchmark for Personalized Long-form Question Answering"
(EMNLP 2025, arXiv 2506.00137). An answer is judged by a rubric, so a gold is no answer:
docs/lamp_qa.md.
"""

from tasks.common.rubric import Rubric
from tasks.example import Example
from tasks.task import Kind
from tasks.templates.lamp_task import LaMPTask


class LaMPQATask(LaMPTask):
    """One category of LaMP-QA. A history holds the user's past posts; a gold is a `Rubric`.

    The model reads the question and past posts. Prompts are worded here: the released ones ask for
    JSON, which small models can't be relied on to write.
    """

    kind = Kind.GENERATION
    metrics = ("aspect_recall",)
    gold_is_answer = False
    max_new_tokens = 512
    lead = "Answer the following question of a user"
    instruction = f"{lead}:"
    marker = "user:"
    item_template = '"{content}"'
    ending = (
        " are past posts of the user. Considering what they show of the user's interests and "
        "needs, "
    )
    reserved_words = ending
    form_hint = "Convert the authors' files with `bench data lamp-qa`"

    def gold_text(self, gold: str) -> str:
        """The user's narrative, which no profile may hold."""
        return Rubric.parse(gold).narrative

    def training_pairs(self, example: Example) -> list[tuple[str, str]]:  # noqa: ARG002
        """None: past posts are questions that nobody has answered in the user's words."""
        return []


class LaMPQAArt(LaMPQATask):
    """Questions on art and entertainment."""

    name = "LaMP-QA-art"
    folder = "Art_and_Entertainment"


class LaMPQALifestyle(LaMPQATask):
    """Questions on lifestyle and personal development."""

    name = "LaMP-QA-lifestyle"
    folder = "Lifestyle_and_Personal_Development"


class LaMPQASociety(LaMPQATask):
    """Questions on society and culture."""

    name = "LaMP-QA-society"
    folder = "Society_and_Culture"


ALL: tuple[type[LaMPQATask], ...] = (LaMPQAArt, LaMPQALifestyle, LaMPQASociety)
