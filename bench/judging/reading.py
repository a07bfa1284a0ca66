"""Questions, rubrics and answers as a judge is asked about them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.judging.judge import Judge, Verdict
from bench.judging.prompts import HIGHEST, Order, write_prompt
from bench.texts.reading import TextPlace, TextRow, Texts
from tasks.common.rubric import Rubric
from tasks.common.words import split_words

LONG = 4
"""Letters of a word by which questions are compared: shorter ones stand in every question."""


@dataclass(frozen=True)
class Asked:
    """What answers are judged by: [n] questions with their rubrics."""

    questions: tuple[str, ...]
    rubrics: tuple[Rubric, ...]

    @classmethod
    def of(cls, place: TextPlace) -> "Asked":
        """A place's own questions and rubrics."""
        questions = tuple(example.query for example in place.examples)
        return cls(questions, tuple(Rubric.parse(gold) for gold in place.golds))

    def take(self, order: Sequence[int]) -> "Asked":
        """The questions in another order."""
        return Asked(tuple(self.questions[n] for n in order), tuple(self.rubrics[n] for n in order))


@dataclass(frozen=True)
class Judged:
    """Verdicts on one row's texts of one seed.

    Attributes:
        verdicts: [n][aspects]; an answer that failed or is empty has none, and nobody was asked.
        sizes: [n] aspects of each rubric.
    """

    verdicts: tuple[tuple[Verdict, ...], ...]
    sizes: tuple[int, ...]

    @property
    def scores(self) -> list[float]:
        """[n] Σ scores ÷ (2 · aspects); without a score, an aspect counts 0."""
        return [
            sum(verdict.score or 0 for verdict in given) / (HIGHEST * size)
            for given, size in zip(self.verdicts, self.sizes, strict=True)
        ]

    @property
    def unparsed(self) -> list[tuple[int, int]]:
        """[n] (verdicts without a score, all verdicts)."""
        return [(sum(v.score is None for v in given), len(given)) for given in self.verdicts]

    @property
    def n_cut(self) -> int:
        """Prompts that the judge didn't read to their end."""
        return sum(verdict.is_cut for given in self.verdicts for verdict in given)


def judge_texts(
    judge: Judge,
    cell: Path,
    texts: Texts,
    asked: Asked,
    what: str,
    order: Order = Order.QUESTION_FIRST,
) -> Judged:
    """Ask about every aspect of every text; the cell's folder keeps the replies."""
    prompts, owners = [], []
    for n, (text, question, rubric) in enumerate(
        zip(texts, asked.questions, asked.rubrics, strict=True)
    ):
        if text is None or not text.strip():
            continue
        for aspect in rubric.aspects:
            prompts.append(write_prompt(question, rubric.narrative, text, aspect, order))
            owners.append(n)
    found: list[list[Verdict]] = [[] for _ in texts]
    for n, verdict in zip(owners, judge.ask(cell, prompts, what), strict=True):
        found[n].append(verdict)
    sizes = tuple(len(rubric.aspects) for rubric in asked.rubrics)
    return Judged(tuple(map(tuple, found)), sizes)


def find_nearest_others(questions: Sequence[str], users: Sequence[str]) -> list[int] | None:
    """[n] the question of another user that shares the most words with each.

    Of equally near ones, the next in their order, so that not all take the same. None where there
    is one user only.
    """
    if len(set(users)) < 2:
        return None
    words = [{word for word in split_words(text) if len(word) >= LONG} for text in questions]
    total = len(questions)
    nearest = []
    for n in range(total):
        others = [(n + step) % total for step in range(1, total)]
        others = [other for other in others if users[other] != users[n]]
        nearest.append(max(others, key=lambda other: _overlap(words[n], words[other])))
    return nearest


def _overlap(first: set[str], second: set[str]) -> float:
    """Jaccard similarity; 0 of two empty sets."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if shared else 0.0


def find_shortest(rows: Sequence[TextRow]) -> int:
    """The mean number of words of the row whose answers are shortest, and at least 1.

    Failed and empty answers don't count, nor do rows without any other.
    """
    means = []
    for row in rows:
        lengths = [count_words(text) for texts in row.by_seed for text in texts if text]
        if any(lengths):
            means.append(fmean(length for length in lengths if length))
    return max(1, int(min(means, default=1)))


def count_words(text: str | None) -> int:
    """The number of words between white space."""
    return len((text or "").split())


def cut_words(text: str | None, most: int) -> str | None:
    """The text up to its word number `most`, with its white space as it is."""
    if text is None:
        return None
    found = re.match(rf"\s*(?:\S+\s+){{0,{most - 1}}}\S+", text)
    return found[0] if found else text
