"""What a judge reads of one aspect, and how its reply is read.

Question, explanation, answer and aspect, and a reply in JSON with a score of 0, 1 or 2, as in
LaMP-QA's evaluation (arXiv 2506.00137, section 3.3). The words are this project's.
"""

import json
import re
from enum import StrEnum

from tasks.common.rubric import Aspect

VERSION = 1
"""Increased whenever the same aspect gives another prompt."""
HIGHEST = 2
"""The score of an aspect that is covered very well."""
TASK = (
    "Judge how well an answer covers one aspect of what a person wanted to know. You are given the "
    "person's question, the person's own explanation of it, the answer, and the aspect: its title, "
    "the reason why it matters to the person, and the evidence for it in the explanation."
)
REPLY = (
    "Score 0 if the answer does not cover the aspect, 1 if it covers it in part, 2 if it covers it "
    'very well. Reply with JSON and nothing else: {"match_score": 0}, {"match_score": 1} or '
    '{"match_score": 2}.'
)


class Order(StrEnum):
    """In which order a prompt shows its parts; a judge that agrees with itself doesn't mind."""

    QUESTION_FIRST = "question first"
    ASPECT_FIRST = "aspect first"


def write_prompt(
    question: str,
    narrative: str,
    answer: str,
    aspect: Aspect,
    order: Order = Order.QUESTION_FIRST,
) -> str:
    """The prompt for one aspect of one answer."""
    asked = [("Question", question), ("Explanation", narrative)]
    given = [("Answer", answer)]
    wanted = [
        ("Aspect", aspect.aspect), ("Reason", aspect.reason), ("Evidence", aspect.evidence),
    ]  # fmt: skip
    parts = (
        [*asked, *given, *wanted] if order is Order.QUESTION_FIRST else [*wanted, *given, *asked]
    )
    shown = [f"{name}: {text.strip()}" for name, text in parts]
    return "\n\n".join([TASK, *shown, REPLY])


def read_score(reply: str) -> int | None:
    """The score in the first JSON object of a reply that has one; None if there is none.

    Scores outside 0, 1 and 2 are none, while the released evaluation lets them pass.
    """
    for found in re.finditer(r"\{[^{}]*\}", reply):
        try:
            score = json.loads(found[0]).get("match_score")
        except ValueError:
            continue
        if isinstance(score, str) and score.strip().isdecimal():
            score = int(score)
        if not isinstance(score, bool) and score in range(HIGHEST + 1):
            return int(score)
    return None
