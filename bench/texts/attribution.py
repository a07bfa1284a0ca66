"""Author attribution of a suite's texts: whether one can see whose they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from bench.grid import Grid
from bench.settings import ScoringSettings, Settings
from bench.statistics import Sample
from bench.tables.build import find_row
from bench.texts.authors import FEATURES, NGRAM, Authors, Nearest
from bench.texts.model import OTHER_GOLD, TextScore, TextTable
from bench.texts.reading import (
    Scorer,
    TextPlace,
    TextRow,
    correct_scores,
    human_row,
    own_text,
    read_places,
)
from tasks.common.errors import ConfigError
from tasks.common.seeds import Seeds
from tasks.metrics.metric import as_column, mean

OWN, OTHER, NEARER = "own author", "swapped author", "nearer than others"


@dataclass(frozen=True)
class Lineup:
    """Who may have written the texts of a place.

    Attributes:
        place: its examples whose user has past texts; rows without the others.
        authors: every user, by their past texts.
        own, swapped: [n] each example's author, and another one drawn from its candidates.
        candidates: [n, C] the authors that each text may be by.
        other_golds: [n] a gold of the swapped author.
        n_left_out: examples whose user has no past texts.
        n_repeated: golds that the user's past texts hold word for word.
    """

    place: TextPlace
    authors: Authors
    own: NDArray[np.intp]
    swapped: NDArray[np.intp]
    candidates: NDArray[np.intp]
    other_golds: tuple[str, ...]
    n_left_out: int
    n_repeated: int


def build_attribution(
    settings: Settings,
    grid: Grid,
    *,
    distractors: int | None = None,
    allow_unequal: bool = False,
) -> TextTable:
    """How often each row's texts are nearest to their own user, and to a swapped one.

    Args:
        distractors: other users that a text is compared with: those whose past texts are nearest to
            the query, so that its topic helps less; None: all.

    Raises:
        ConfigError: no generation task has scores, or none has two users with past texts; or terms
            are unequal, unless `allow_unequal`.
        DataError: the data isn't there or is faulty.
        StorageError: a stored file is damaged, or its examples are not in the data.
    """
    places, unequal = read_places(settings, grid, allow_unequal=allow_unequal)
    _, suite = settings.suite(grid.suite)
    scores: list[TextScore] = []
    notes: list[str] = []
    for place in places:
        lineup = make_lineup(place, distractors)
        if lineup is None:
            notes.append(f"{place.name} is left out: fewer than two of its users have past texts")
            continue
        scores += correct_scores(_measure(lineup, suite.reference, settings.scoring))
        notes += _describe(lineup)
    if not scores:
        raise ConfigError(
            f"no task of suite {grid.suite!r} has two users with past texts",
            hint="Name a task or suite whose queries have histories",
        )
    about = tuple(_explain(suite.reference, distractors))
    unlike = (f"unequal terms: {difference}" for difference in unequal)
    return TextTable(grid.suite, "author attribution", tuple(scores), (*about, *notes, *unlike))


def make_lineup(place: TextPlace, distractors: int | None) -> Lineup | None:
    """Who may have written a place's texts; None where fewer than two users have past texts.

    An author's past texts are those of the shortest history among the user's queries: a longer one
    may hold the golds of the user's other queries.
    """
    past: dict[str, list[str]] = {}
    for example in place.examples:
        texts = [own_text(behavior) for behavior in example.history]
        if example.user_id not in past or len(texts) < len(past[example.user_id]):
            past[example.user_id] = texts
    known = {user: texts for user, texts in past.items() if any(map(_is_long_enough, texts))}
    if len(known) < 2:
        return None
    names = sorted(known)
    index = {user: number for number, user in enumerate(names)}
    kept = [n for n, example in enumerate(place.examples) if example.user_id in index]
    n_left_out = len(place.examples) - len(kept)
    place = _select(place, kept)
    authors = Authors(["\n".join(known[user]) for user in names])
    own = np.array([index[user] for user in place.users], dtype=np.intp)
    candidates = _choose_candidates(place, authors, own, distractors)
    seeds = Seeds.root("attribution", place.task.name)
    swapped = np.array(
        [
            Random(seeds.seed(example.id)).choice(others[others != author].tolist())
            for example, author, others in zip(place.examples, own, candidates, strict=True)
        ],
        dtype=np.intp,
    )
    first_gold: dict[int, str] = {}
    for author, gold in zip(own, place.golds, strict=True):
        first_gold.setdefault(int(author), gold)
    pairs = zip(place.users, place.golds, strict=True)
    repeated = sum(gold.strip() in {text.strip() for text in known[user]} for user, gold in pairs)
    return Lineup(
        place,
        authors,
        own,
        swapped,
        candidates,
        tuple(first_gold[int(author)] for author in swapped),
        n_left_out,
        repeated,
    )


def _is_long_enough(text: str) -> bool:
    """Whether a text has an n-gram; runs of white space count as one space."""
    return len(" ".join(text.split())) >= NGRAM


def _select(place: TextPlace, kept: Sequence[int]) -> TextPlace:
    """The place with some of its examples only."""
    rows = tuple(
        replace(row, by_seed=tuple(tuple(texts[n] for n in kept) for texts in row.by_seed))
        for row in place.rows
    )
    examples = tuple(place.examples[n] for n in kept)
    golds = tuple(place.golds[n] for n in kept)
    return replace(place, examples=examples, golds=golds, rows=rows)


def _choose_candidates(
    place: TextPlace, authors: Authors, own: NDArray[np.intp], distractors: int | None
) -> NDArray[np.intp]:
    """[n, C] the own author and its distractors: all others, or those nearest to the query."""
    n_others = authors.n - 1 if distractors is None else min(distractors, authors.n - 1)
    if n_others == authors.n - 1:
        return np.tile(np.arange(authors.n), (len(own), 1))
    chosen = np.empty((len(own), n_others + 1), dtype=np.intp)
    for row, (example, author) in enumerate(zip(place.examples, own, strict=True)):
        nearness = authors.compare([example.query])[0]
        nearness[author] = np.inf  # comes first
        chosen[row] = np.argsort(-nearness, kind="stable")[: n_others + 1]
    return chosen


def _measure(lineup: Lineup, reference: str, scoring: ScoringSettings) -> list[TextScore]:
    place = lineup.place
    scorer = Scorer(place.name, place.users, scoring)
    rows = (place.gold, human_row(OTHER_GOLD, lineup.other_golds), *place.rows)

    def sample(row: TextRow, found: Sequence[Nearest], field: str) -> Sample:
        arrays = [as_column(getattr(nearest, field)) for nearest in found]
        return scorer.sample(row, arrays, mean, is_mean=True)

    def find(row: TextRow, wanted: NDArray[np.intp]) -> list[Nearest]:
        return [lineup.authors.find_nearest(t, wanted, lineup.candidates) for t in row.by_seed]

    found = {row.key: find(row, lineup.own) for row in rows}
    nearer = {row.key: sample(row, found[row.key], "share") for row in rows}
    scores = []
    for row in rows:
        own = sample(row, found[row.key], "first")
        other = sample(row, find(row, lineup.swapped), "first")
        generic = find_row(nearer, reference, row.key)
        against = None if generic is None or generic == row.key else nearer[generic]
        scores += [
            scorer.score(row, OWN, own, OTHER, other),
            scorer.score(row, OTHER, other),
            scorer.score(row, NEARER, nearer[row.key], reference, against),
        ]
    return scores


def _explain(reference: str, distractors: int | None) -> Iterator[str]:
    yield (
        f"nearest author by character {NGRAM}-grams (TF-IDF, the {FEATURES} most frequent, cosine) "
        "among users known by their past texts: "
        + ("all of them" if distractors is None else f"the user and the {distractors} others "
           "nearest to the query")
    )  # fmt: skip
    yield (
        f"{OWN}: share of texts whose nearest author is their user; {OTHER}: the same for another "
        f"user, drawn for each query; their difference is the swap-user difference. {NEARER}: "
        "share of the other candidates that are farther from the text than its user, 0.5 by chance"
    )
    yield (
        f"gold is the ceiling, {OTHER_GOLD} the floor; a text shares the query's topic with its "
        f"user, so {reference}, which knows no user, is what topic alone gives"
    )
    if distractors is not None:
        yield (
            "distractors are chosen for being near the query, and the user is not: a text without "
            f"any user falls below chance, so only differences to {reference} count"
        )
    yield "failed answers count as wrong; *: p < 0.05, Holm-corrected over the rows of a task"


def _describe(lineup: Lineup) -> Iterator[str]:
    name, n_candidates = lineup.place.name, lineup.candidates.shape[1]
    yield f"{name}: {n_candidates} candidates a text, chance {1 / n_candidates:.3f}"
    if lineup.n_left_out:
        yield f"{name}: {lineup.n_left_out} queries of users without past texts are left out"
    if lineup.n_repeated:
        yield (
            f"{name}: {lineup.n_repeated} golds stand word for word among their user's past texts, "
            "which raises the ceiling"
        )
