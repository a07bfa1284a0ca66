"""Base classes of methods without an LLM: a label prior, the history, its nearest behaviours."""

import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from methods.core.method import C, Method
from methods.core.runtime import Runtime
from methods.models.report import FitReport
from methods.retrieval import ScoringRetriever
from tasks.common.errors import ModelError
from tasks.common.files import write_json
from tasks.example import Dataset, Example, Prediction

_FILE = "majority.json"


class LabelPrior(Method[C]):
    """Learns the most frequent gold label of the train set, if the task has labels.

    Among equally frequent labels, the first in the task's order.
    """

    uses_llm = False
    seeded = False

    def __init__(self, config: C, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._majority: str | None = None

    @property
    def majority(self) -> str:
        """The most frequent label. Raises RuntimeError before `fit` or `load`."""
        if self._majority is None:
            raise RuntimeError(f"{self.name} predicts labels only after `fit` or `load`")
        return self._majority

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:  # noqa: ARG002
        if not self.task.labels:
            return FitReport()
        counts = Counter(gold.strip() for _, gold in train.pairs())
        self._majority = max(self.task.labels, key=lambda label: counts[label])
        return FitReport(examples=len(train))

    def save(self, folder: Path) -> None:
        write_json(folder / _FILE, {"majority": self._majority})

    def load(self, folder: Path) -> None:
        file = folder / _FILE
        try:
            majority = json.loads(file.read_text(encoding="utf-8"))["majority"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(
                f"can't be read ({error})", file=file, hint="Run the cell again"
            ) from error
        if majority not in (self.task.labels or (None,)):
            raise ModelError(
                f"has {majority!r}, which is not a label of {self.task.name}",
                file=file,
                hint="Load a folder that was saved for this task",
            )
        self._majority = majority


class Baseline(LabelPrior[C]):
    """Answers from the history alone.

    Without a usable history, the answer is the train set's majority label or, for a task without
    labels, the query; the prediction's `note` reports it.
    """

    @abstractmethod
    def answer(self, example: Example) -> Prediction:
        """The prediction for an example whose history is not empty."""

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return [
            self.answer(example) if example.history else self.fallback(example, "empty history")
            for example in examples
        ]

    def fallback(self, example: Example, why: str) -> Prediction:
        """The answer without a usable history, with the reason `why`."""
        if self.task.labels:
            return Prediction(example.id, self.majority, note=f"{why}: global majority")
        return Prediction(example.id, example.query, note=f"{why}: query copied")


class NeighbourBaseline(Baseline[C]):
    """A Baseline that answers from the behaviours nearest to the query."""

    @abstractmethod
    def open_retriever(self) -> ScoringRetriever:
        """Open the retriever; called once, at first use."""

    @cached_property
    def retriever(self) -> ScoringRetriever:
        """The method's retriever."""
        return self.open_retriever()

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        self.retriever.prepare(examples)
        return super().predict(examples)
