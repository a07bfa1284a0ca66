"""Scores of stored answers by a judge, with the controls that say what they are worth."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.grid import Grid
from bench.judging.agreement import count_pairs, find_agreement, find_kappa
from bench.judging.judge import Judge
from bench.judging.prompts import Order
from bench.judging.reading import (
    Asked,
    Judged,
    count_words,
    cut_words,
    find_nearest_others,
    find_shortest,
    judge_texts,
)
from bench.settings import ScoringSettings, Settings
from bench.statistics import Sample
from bench.statistics.clusters import Floats
from bench.tables.build import find_row
from bench.tables.model import RowKey
from bench.texts.measures import divide
from bench.texts.model import TextScore, TextTable
from bench.texts.reading import Scorer, TextPlace, TextRow, correct_scores, read_places
from tasks import Task
from tasks.metrics.metric import as_column, mean
from tasks.task import Kind

SCORE, OTHER, OWN = "score", "another's rubric", "own − another's"
AGREEMENT, KAPPA, UNPARSED = "agreement", "kappa", "unparsed"


@dataclass(frozen=True)
class Passes:
    """What a judge said of one row, seed by seed; only `own` without the checks.

    Attributes:
        own: of the answers, by their own rubrics.
        again: the same, asked with the parts of the prompt in another order.
        cut: the same, of the answers cut to equal length.
        other: of the answers, by another user's question and rubric.
    """

    own: list[Judged]
    again: list[Judged]
    cut: list[Judged]
    other: list[Judged]


@dataclass(frozen=True)
class Rubrics:
    """What the answers of a place are judged by.

    Attributes:
        own: their questions and rubrics.
        other: of each, another user's; None where there is no other user, or no check.
        checks: whether answers are judged by more than their own rubrics.
        most: words after which answers are cut to equal length.
    """

    own: Asked
    other: Asked | None
    checks: bool
    most: int

    @classmethod
    def of(cls, place: TextPlace, *, checks: bool, most: int) -> "Rubrics":
        """Parse a place's golds, and find the nearest questions of other users for the checks."""
        own = Asked.of(place)
        nearest = find_nearest_others(own.questions, place.users) if checks else None
        return cls(own, None if nearest is None else own.take(nearest), checks, most)


def build_judgements(
    settings: Settings,
    grid: Grid,
    judge: Judge,
    *,
    checks: bool = True,
    words: int | None = None,
    allow_unequal: bool = False,
) -> TextTable:
    """Judge what isn't judged yet of a suite's answers with rubrics, and score it.

    Args:
        checks: judge each answer three times more: in another order, cut to equal length, and by
            another user's rubric.
        words: the equal length; None: the mean of the row with the shortest answers.

    Raises:
        ConfigError: no task with rubrics has scores; or terms are unequal, unless `allow_unequal`.
        DataError: the data isn't there or is faulty.
        ModelError: the judge can't be opened, or fails; its replies so far are kept.
        StorageError: a stored file is damaged, or can't be written.
    """
    places, unequal = read_places(
        settings,
        grid,
        wanted=has_rubrics,
        kind="answers judged by rubrics",
        allow_unequal=allow_unequal,
    )
    _, suite = settings.suite(grid.suite)
    scores: list[TextScore] = []
    notes: list[str] = []
    for place in places:
        most = find_shortest(place.rows) if words is None else words
        rubrics = Rubrics.of(place, checks=checks, most=most)
        found = {row.key: _judge_row(judge, place.name, row, rubrics) for row in place.rows}
        measured = _measure(place, found, most, suite.reference, settings.scoring)
        scores += correct_scores(measured)
        notes += _describe(place.name, found, rubrics)
    about = _explain(judge, suite.reference, checks)
    unlike = (f"unequal terms: {difference}" for difference in unequal)
    return TextTable(
        grid.suite, f"judged by {judge.name}", tuple(scores), (*about, *notes, *unlike)
    )


def has_rubrics(task: type[Task]) -> bool:
    """Whether a task's golds are rubrics."""
    return task.kind is Kind.GENERATION and not task.gold_is_answer


def _judge_row(judge: Judge, place: str, row: TextRow, rubrics: Rubrics) -> Passes:
    title = f"{place} {row.key.method}"
    own, passes = rubrics.own, Passes([], [], [], [])
    for folder, texts in zip(row.folders, row.by_seed, strict=True):
        passes.own.append(judge_texts(judge, folder, texts, own, title))
        if not rubrics.checks:
            continue
        again = judge_texts(judge, folder, texts, own, f"{title}: again", Order.ASPECT_FIRST)
        passes.again.append(again)
        short = tuple(cut_words(text, rubrics.most) for text in texts)
        passes.cut.append(judge_texts(judge, folder, short, own, f"{title}: cut"))
        if rubrics.other is not None:
            what = f"{title}: another's rubric"
            passes.other.append(judge_texts(judge, folder, texts, rubrics.other, what))
    return passes


def _measure(
    place: TextPlace,
    found: Mapping[RowKey, Passes],
    most: int,
    reference: str,
    scoring: ScoringSettings,
) -> list[TextScore]:
    scorer = Scorer(place.name, place.users, scoring)
    samples = {row.key: dict(_sample(scorer, row, found[row.key], most)) for row in place.rows}
    compared = {SCORE, _name_cut(most), OWN}
    scores = []
    for row in place.rows:
        generic = find_row(samples, reference, row.key)
        theirs = {} if generic is None or generic == row.key else samples[generic]
        for measure, sample in samples[row.key].items():
            against = theirs.get(measure) if measure in compared else None
            scores.append(scorer.score(row, measure, sample, reference, against))
    return scores


def _sample(
    scorer: Scorer, row: TextRow, passes: Passes, most: int
) -> Iterator[tuple[str, Sample]]:
    """Each measure of a row with its per-question values."""

    def average(arrays: Sequence[Floats], *, lowest: float = 0.0, highest: float = 1.0) -> Sample:
        return scorer.sample(row, arrays, mean, is_mean=True, lowest=lowest, highest=highest)

    lengths = [as_column([count_words(text) for text in texts]) for texts in row.by_seed]
    own = [as_column(judged.scores) for judged in passes.own]
    yield "words", average(lengths, highest=math.inf)
    yield SCORE, average(own)
    if passes.cut:
        yield _name_cut(most), average([as_column(judged.scores) for judged in passes.cut])
    if passes.other:
        other = [as_column(judged.scores) for judged in passes.other]
        yield OTHER, average(other)
        gaps = [ours - theirs for ours, theirs in zip(own, other, strict=True)]
        yield OWN, average(gaps, lowest=-1.0)
    if passes.again:
        pairs = [
            np.array([count_pairs(*given) for given in zip(*both, strict=True)])
            for both in zip(
                (judged.verdicts for judged in passes.own),
                (judged.verdicts for judged in passes.again),
                strict=True,
            )
        ]
        yield AGREEMENT, scorer.sample(row, pairs, find_agreement)
        yield KAPPA, scorer.sample(row, pairs, find_kappa, lowest=-1.0)
    unparsed = [np.array(judged.unparsed, dtype=np.float64) for judged in passes.own]
    yield UNPARSED, scorer.sample(row, unparsed, divide)


def _name_cut(most: int) -> str:
    return f"score of {most} words"


def _explain(judge: Judge, reference: str, checks: bool) -> Iterator[str]:
    yield (
        f"{SCORE}: by {judge.name}, greedily, one call an aspect: sum of 0, 1 or 2 ÷ (2 · aspects);"
        f" the mean over questions (LaMP-QA, arXiv 2506.00137); − {reference} with intervals over "
        "users and seeds; *: p < 0.05, Holm-corrected over the rows of a task"
    )
    yield (
        f"{UNPARSED}: share of replies to the first question without a score of 0, 1 or 2; these "
        "aspects count 0, as do all of a failed (f) or empty answer, about which no judge is asked"
    )
    if checks:
        yield (
            "score of N words: the same answers, cut after N words: longer answers cover more "
            "aspects, so a gain that equal length takes away is one of length"
        )
        yield (
            f"{OTHER}: the same answers, judged by the question and rubric of the user whose "
            f"question is nearest: what any answer on such a topic gets; {OWN}: what is left"
        )
        yield (
            f"{AGREEMENT}, {KAPPA}: of the judge with itself, asked again with the parts of the "
            "prompt in another order: share of equal scores, and Cohen's κ, which leaves out what "
            "chance gives"
        )
    yield (
        f"prompts and replies: judged/{judge.identity}.jsonl in each cell's folder; "
        f"{judge.asked} calls were made now"
    )


def _describe(place: str, found: Mapping[RowKey, Passes], rubrics: Rubrics) -> Iterator[str]:
    sizes = [len(rubric.aspects) for rubric in rubrics.own.rubrics]
    cut = f", answers cut after {rubrics.most} words" if rubrics.checks else ""
    yield f"{place}: {sum(sizes) / len(sizes):.1f} aspects a question{cut}"
    n_cut = sum(
        judged.n_cut
        for passes in found.values()
        for judged in (*passes.own, *passes.again, *passes.cut, *passes.other)
    )
    if n_cut:
        yield f"{place}: {n_cut} prompts exceeded the judge's budget and lost their end"
