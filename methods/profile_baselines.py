"""Baselines that answer with the labels of a history, or a label prior (methods.md §5)."""

from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import fmean, median

from pydantic import PositiveInt

from methods.baselines.method import Baseline, LabelPrior, NeighbourBaseline
from methods.core.method import MethodConfig
from methods.retrieval import ScoringRetriever, best_first
from methods.retrieval.bm25 import BM25Retriever
from methods.retrieval.dense import DenseRetriever
from tasks.example import Example, Prediction, newest_first
from tasks.task import Kind, Task


class GlobalMajority(LabelPrior):
    """The most frequent label of the train set, for everyone."""

    name = "global-majority"

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:
        return bool(task.labels)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return [Prediction(example.id, self.majority) for example in examples]


class ProfileBaseline(Baseline):
    """One label from all labels of a history; the global majority if it has none."""

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:
        return task.history_has_labels

    @abstractmethod
    def summary(self, labels: Sequence[str]) -> str:
        """One label for a history's labels, which come newest first and aren't empty."""

    def answer(self, example: Example) -> Prediction:
        newest = (example.history[i].response for i in newest_first(example.history))
        labels = [label for label in newest if label is not None and label in self.task.labels]
        if not labels:
            return self.fallback(example, "no label in the history")
        return Prediction(example.id, self.summary(labels))


class MajorityLabel(ProfileBaseline):
    """The user's most frequent label; among equally frequent ones, the most recent."""

    name = "majority-label"

    def summary(self, labels: Sequence[str]) -> str:
        return Counter(labels).most_common(1)[0][
            0
        ]  # equal counts keep the order of first occurrence


class OrdinalBaseline(ProfileBaseline):
    """A ProfileBaseline for labels that are numbers."""

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:
        return super().applicable(task) and task.kind is Kind.ORDINAL

    @abstractmethod
    def center(self, scores: Sequence[float]) -> float:
        """The middle of a user's scores."""

    def summary(self, labels: Sequence[str]) -> str:
        center = self.center([float(label) for label in labels])
        return min(self.task.labels, key=lambda label: (abs(float(label) - center), -float(label)))


class MeanScore(OrdinalBaseline):
    """The label nearest to the mean of the user's scores; the higher of two equally near."""

    name = "mean-score"

    def center(self, scores: Sequence[float]) -> float:
        return fmean(scores)


class MedianScore(OrdinalBaseline):
    """The label nearest to the median of the user's scores; the higher of two equally near."""

    name = "median-score"

    def center(self, scores: Sequence[float]) -> float:
        return median(scores)


class KnnConfig(MethodConfig):
    """Options of knn-vote.

    Attributes:
        k: number of voters, among the behaviours with a label.
    """

    k: PositiveInt = 4


class KnnVote(NeighbourBaseline[KnnConfig]):
    """A vote of the `k` nearest behaviours by BM25, weighted by similarity.

    Weights are the retriever's scores, with negative ones set to 0; if all are 0, votes are equal.
    The nearer label wins a tie. `behaviors` of a prediction are the voters.
    """

    name = "knn-vote"

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:
        return task.history_has_labels

    def open_retriever(self) -> ScoringRetriever:
        return BM25Retriever(self.task.words)

    def answer(self, example: Example) -> Prediction:
        scores, history = self.retriever.scores(example), example.history
        labelled = [
            i for i in best_first(history, scores) if history[i].response in self.task.labels
        ]
        voters = labelled[: self.config.k]
        if not voters:
            return self.fallback(example, "no label in the history")
        weights = [max(float(scores[i]), 0.0) for i in voters]
        votes: defaultdict[str | None, float] = defaultdict(float)
        for i, weight in zip(voters, weights if any(weights) else [1.0] * len(voters), strict=True):
            votes[history[i].response] += weight
        winner = max(votes, key=lambda label: votes[label])
        return Prediction(example.id, winner, behaviors=tuple(history[i].id for i in voters))


class DenseKnnVote(KnnVote):
    """The same with the suite's sentence encoder."""

    name = "knn-vote-dense"
    uses_encoder = True

    def open_retriever(self) -> ScoringRetriever:
        return DenseRetriever(self.runtime.embeddings)
