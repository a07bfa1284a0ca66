"""Baselines that copy text: the ROUGE that needs no generation (methods.md §5)."""

from collections.abc import Sequence

from methods.baselines.method import NeighbourBaseline
from methods.core.method import Method
from methods.retrieval import ScoringRetriever
from methods.retrieval.bm25 import BM25Retriever
from methods.retrieval.dense import DenseRetriever
from tasks.example import Example, Prediction
from tasks.task import Kind, Task


class CopyInput(Method):
    """The query: the tweet to paraphrase, the article, the abstract."""

    name = "copy-input"
    seeded = False
    uses_llm = False

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:
        return task.kind is Kind.GENERATION

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return [Prediction(example.id, example.query) for example in examples]


class CopyNearestResponse(NeighbourBaseline):
    """The response of the behaviour nearest to the query by BM25, or its text without one.

    For a task with labels, the nearest behaviour with a label. `behaviors` of a prediction is the
    copied behaviour.
    """

    name = "copy-nearest-response"

    @classmethod
    def applicable(cls, task: type[Task]) -> bool:
        return task.kind is Kind.GENERATION or task.history_has_labels

    def open_retriever(self) -> ScoringRetriever:
        return BM25Retriever(self.task.words)

    def answer(self, example: Example) -> Prediction:
        nearest = (example.history[i] for i in self.retriever.rank(example))
        labels = self.task.labels
        source = next((b for b in nearest if not labels or b.response in labels), None)
        if source is None:
            return self.fallback(example, "no label in the history")
        text = source.text if source.response is None else source.response
        return Prediction(example.id, text, behaviors=(source.id,))


class CopyDenseNearestResponse(CopyNearestResponse):
    """The same with the suite's sentence encoder."""

    name = "copy-nearest-response-dense"
    uses_encoder = True

    def open_retriever(self) -> ScoringRetriever:
        return DenseRetriever(self.runtime.embeddings)
