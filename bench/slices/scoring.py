"""One metric on some of the scored examples: values, intervals and denominators."""

from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bench.settings import ScoringSettings
from bench.slices.model import Part, SliceScore
from bench.slices.stored import StoredRow
from bench.statistics import Clusters, Comparison, Sample, compare, estimate, partition
from bench.tables.model import RowKey
from tasks.metrics import Metric, create
from tasks.scoring import Scoring


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
        users = partition(tuple(row.users[i] for i in members))
        sample = self._sample(metric, row, ours, users)
        own = estimate(sample, confidence=self.scoring.confidence)
        gap: Comparison | None = None
        if reference is not None:
            theirs = [rows[members] for rows in reference.arrays(self.metric)]
            other = self._sample(metric, reference, theirs, users)
            gap = compare(sample, other, confidence=self.scoring.confidence)
        answers = row.answers(row.ids[i] for i in members)
        texts = [None if answer is None else answer.text for answer in answers]
        return SliceScore(
            row=key,
            part=part,
            metric=self.metric,
            higher_is_better=metric.higher_is_better,
            value=fmean(by_seed),
            low=own.low,
            high=own.high,
            difference=None if gap is None else gap.difference,
            difference_low=None if gap is None else gap.low,
            difference_high=None if gap is None else gap.high,
            withheld=own.withheld,
            by_seed=by_seed,
            n_failed=sum(text is None for text in texts),
            n_unparsed=sum(text is not None and metric.unparsed(text) for text in texts),
            behaviors=fmean(0 if answer is None else len(answer.behaviors) for answer in answers),
        )

    @staticmethod
    def _sample(
        metric: Metric, row: StoredRow, values: list[NDArray[np.float64]], users: Clusters
    ) -> Sample:
        return Sample(
            values,
            users,
            metric.reduce,
            is_mean=metric.is_mean,
            seeded=row.cell.method.seeded,
            higher_is_better=metric.higher_is_better,
        )


def make_part(row: StoredRow, place: str, name: str, members: NDArray[np.intp]) -> Part:
    """The part of the scored examples with these indices."""
    return Part(place, name, len(members), len({row.users[i] for i in members}))
