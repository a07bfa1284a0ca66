"""Length ratio and self-copying of every row's texts, from stored predictions and the data."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from bench.grid import Grid
from bench.settings import ScoringSettings, Settings
from bench.statistics.clusters import Floats
from bench.texts.measures import RUN, count_all_copied, count_lengths, divide
from bench.texts.model import TextScore, TextTable
from bench.texts.reading import Scorer, TextPlace, correct_scores, read_places
from methods.core.controls import ShuffledUser
from tasks import Behavior
from tasks.common.errors import ConfigError
from tasks.common.seeds import Seeds
from tasks.metrics.metric import mean

ANOTHER = "another user's history"
NOTES = (
    "words: mean number of words in a text; length ratio: words of all texts ÷ words of all golds "
    "(BLEU's ratio), best at 1, not higher",
    f"self-copying: share of all words that stand among {RUN} in a row that a text of the user's "
    "own history has too (1 − novel n-grams, See et al. 2017); the gold row says how much the "
    "users copy from themselves",
    f"copying from {ANOTHER}: the same texts against another user's history of similar length; the "
    "difference is what is this user's own, with intervals over users and seeds; *: p < 0.05, "
    "Holm-corrected over the rows of a task",
    "failed answers (f) have no words; neither measure says that a text is good",
)


def build_texts(settings: Settings, grid: Grid, *, allow_unequal: bool = False) -> TextTable:
    """Words, length ratio and self-copying of a suite's generated texts.

    Raises:
        ConfigError: no generation task has scores; or terms are unequal, unless `allow_unequal`.
        DataError: the data isn't there or is faulty.
        StorageError: a stored file is damaged, or its examples are not in the data.
    """
    places, unequal = read_places(settings, grid, allow_unequal=allow_unequal)
    scores = [
        score for place in places for score in correct_scores(_measure(place, settings.scoring))
    ]
    notes = (*NOTES, *(f"unequal terms: {difference}" for difference in unequal))
    return TextTable(grid.suite, "generated texts", tuple(scores), notes)


def _measure(place: TextPlace, scoring: ScoringSettings) -> list[TextScore]:
    rows = (place.gold, *place.rows)
    texts = [of_seed for row in rows for of_seed in row.by_seed]
    lengths = iter([count_lengths(of_seed, place.golds) for of_seed in texts])
    own = iter(count_all_copied(texts, (_list_texts(e.history) for e in place.examples)))
    swapped = _swap_histories(place)
    others = iter(() if swapped is None else count_all_copied(texts, map(_list_texts, swapped)))
    scorer = Scorer(place.name, place.users, scoring)
    scores = []
    for row in rows:
        counted, copied = _take(lengths, row.by_seed), _take(own, row.by_seed)
        words = [found[:, :1] for found in counted]
        by_words = scorer.sample(row, words, mean, is_mean=True, highest=math.inf)
        by_length = scorer.sample(row, counted, divide, highest=math.inf)
        by_copying = scorer.sample(row, copied, divide)
        scores += [
            scorer.score(row, "words", by_words),
            scorer.score(row, "length ratio", by_length),
        ]
        if swapped is None:
            scores.append(scorer.score(row, "self-copying", by_copying))
            continue
        other = scorer.sample(row, _take(others, row.by_seed), divide)
        scores += [
            scorer.score(row, "self-copying", by_copying, ANOTHER, other),
            scorer.score(row, f"copying from {ANOTHER}", other),
        ]
    return scores


def _take(values: Iterator[Floats], of_row: Sequence[object]) -> list[Floats]:
    """The next values, one for each seed of a row."""
    return [np.asarray(next(values)) for _ in of_row]


def _list_texts(history: Sequence[Behavior]) -> Iterator[str]:
    """All that a prompt can show of a history, text by text."""
    for behavior in history:
        yield behavior.text
        yield behavior.content
        yield behavior.response or ""


def _swap_histories(place: TextPlace) -> list[Sequence[Behavior]] | None:
    """[n] another user's history for each example, as the control shuffled-user draws them.

    None where no other user has a history.
    """
    swap = ShuffledUser(place.examples, Seeds.root("texts", place.task.name))
    try:
        return [swap.history(example) for example in place.examples]
    except ConfigError:  # only one user has a history
        return None
