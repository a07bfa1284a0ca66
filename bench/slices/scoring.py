"""One metric on some of the scored examples: values, intervals and denominators."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from bench.settings import ScoringSettings
from bench.slices.model import Part, SliceScore
from bench.slices.stored import StoredRow
from bench.statistics import Sample, compare, correct, estimate, partition
from bench.tables.model import RowKey
from tasks import Task
from tasks.metrics import Metric, create


@dataclass(frozen=True)
class PartScorer:
    """Scores rows on parts by one of the task's metrics."""

    task: type[Task]
    metric: str
    scoring: ScoringSettings

    @cached_property
    def _metric(self) -> Metric:
        return create(self.metric, self.task(), replace(self.scoring.rules, aggregator="mean"))

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
            reference: what it is compared with; None where there is nothing to compare.
            members: [m] indices of the part's examples among the scored ones.
        """
        ours = self._sample(row, members)
        comparison = None
        if reference is not None:
            comparison = compare(
                ours,
                self._sample(reference, members),
                confidence=self.scoring.confidence,
                flips=self.scoring.resamples,
            )
        answers = row.answers(row.ids[i] for i in members)
        texts = [None if answer is None else answer.text for answer in answers]
        metric = self._metric
        return SliceScore(
            row=key,
            part=part,
            metric=self.metric,
            higher_is_better=metric.higher_is_better,
            interval=estimate(ours, confidence=self.scoring.confidence),
            comparison=comparison,
            by_seed=tuple(ours.by_seed.tolist()),
            n_failed=sum(text is None for text in texts),
            n_unparsed=sum(text is not None and metric.unparsed(text) for text in texts),
            behaviors=fmean(0 if answer is None else len(answer.behaviors) for answer in answers),
        )

    def _sample(self, row: StoredRow, members: NDArray[np.intp]) -> Sample:
        """A row's values on some examples, by means as in the whole table's intervals."""
        metric = self._metric
        arrays = row.arrays(self.metric, members)
        if arrays is None:
            raise ValueError(f"{self.metric} has no values of single examples")
        return Sample(
            arrays,
            partition(tuple(row.users[i] for i in members)),
            metric.reduce,
            is_mean=metric.is_mean,
            seeds=row.results.seeds,
            seeded=row.results.seeded,
            higher_is_better=metric.higher_is_better,
            bounds=metric.bounds,
        )


def correct_scores(scores: Sequence[SliceScore]) -> list[SliceScore]:
    """The same scores with each p corrected for all the comparisons among them (Holm)."""
    corrected = iter(correct([s.comparison for s in scores if s.comparison is not None]))
    return [
        score if score.comparison is None else replace(score, comparison=next(corrected))
        for score in scores
    ]


def make_part(row: StoredRow, place: str, name: str, members: NDArray[np.intp]) -> Part:
    """The part of the scored examples with these indices."""
    return Part(place, name, len(members), len({row.users[i] for i in members}))
