"""One metric on some of the scored examples: values, intervals and denominators."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bench.settings import ScoringSettings
from bench.slices.model import Part, SliceScore
from bench.slices.stored import StoredRow
from bench.statistics import Interval, difference, interval
from bench.tables.model import RowKey
from tasks.metrics import create
from tasks.scoring import Scoring

FEWEST_USERS = 10
"""Users below which no interval is shown: resampling a handful of users gives too narrow ones."""


@dataclass(frozen=True)
class PartScorer:
    """Scores rows on parts by one of the task's metrics."""

    metric: str
    scoring: ScoringSettings

    def score(
        self,
        key: RowKey,
        row: StoredRow,
        reference: StoredRow | None,
        part: Part,
        members: NDArray[np.intp],
    ) -> SliceScore:
        """A row's score on a part.

        Args:
            reference: what the difference is taken to; None where there is nothing to compare.
            members: [m] indices of the part's examples among the scored ones.
        """
        # As in the whole table: means, where LaMP's aggregator would be a bootstrap of its own.
        metric = create(self.metric, row.cell.task(), Scoring(unparsed=self.scoring.unparsed))
        ours = [rows[members] for rows in row.arrays(self.metric)]
        by_seed = tuple(metric.reduce(rows) for rows in ours)
        users = [row.users[i] for i in members]
        enough = part.users >= FEWEST_USERS
        confidence, resamples = self.scoring.confidence, self.scoring.resamples
        own = (
            interval(ours, users, metric.reduce, confidence=confidence, resamples=resamples)
            if enough
            else None
        )
        gap: Interval | None = None
        gap_value: float | None = None
        if reference is not None:
            theirs = [rows[members] for rows in reference.arrays(self.metric)]
            gap_value = fmean(by_seed) - fmean(metric.reduce(rows) for rows in theirs)
            if enough:
                gap = difference(
                    ours,
                    theirs,
                    users,
                    metric.reduce,
                    confidence=confidence,
                    resamples=resamples,
                )
        answers = row.answers(row.ids[i] for i in members)
        texts = [None if answer is None else answer.text for answer in answers]
        return SliceScore(
            row=key,
            part=part,
            metric=self.metric,
            higher_is_better=metric.higher_is_better,
            value=fmean(by_seed),
            low=None if own is None else own.low,
            high=None if own is None else own.high,
            difference=gap_value,
            difference_low=None if gap is None else gap.low,
            difference_high=None if gap is None else gap.high,
            withheld="" if enough else f"{part.users} user{'s' * (part.users != 1)}",
            by_seed=by_seed,
            n_failed=sum(text is None for text in texts),
            n_unparsed=sum(text is not None and metric.unparsed(text) for text in texts),
            behaviors=fmean(0 if answer is None else len(answer.behaviors) for answer in answers),
        )


def make_part(row: StoredRow, place: str, name: str, members: NDArray[np.intp]) -> Part:
    """The part of the scored examples with these indices."""
    return Part(place, name, len(members), len({row.users[i] for i in members}))
