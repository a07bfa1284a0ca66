"""What a task is: the one interface by which methods and the harness know it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from tasks.example import Behavior, Example, Prediction, Score
from tasks.scoring import DEFAULT_SCORING, Scoring


class Kind(StrEnum):
    """What an answer is."""

    CLASSIFICATION = "classification"
    ORDINAL = "ordinal"
    GENERATION = "generation"


class Tokenizer(Protocol):
    """All that a task needs of an LLM's tokenizer to keep a prompt within its budget."""

    def count(self, text: str) -> int:
        """Tokens of `text`, special tokens not counted."""

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` of at most `tokens` tokens ("" where tokens ≤ 0)."""


class Task(ABC):
    """A personalization task. Subclasses differ only in what really differs.

    Class attributes:
        name: e.g. "LaMP-3".
        version: a bump means that results are not comparable with earlier ones.
        folder: its folder in the official layout, e.g. "LaMP_3".
        labels: the closed set of answers; () for generation.
        metrics: names for `tasks.metrics.create`, the primary one first.
        max_new_tokens: budget of an answer.
        response_in_text: whether a behaviour's text already contains its response (titles do).
        history_has_labels: whether the responses in a history are labels of the task.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    folder: ClassVar[str]
    kind: ClassVar[Kind]
    labels: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]]
    max_new_tokens: ClassVar[int] = 128
    response_in_text: ClassVar[bool] = False
    history_has_labels: ClassVar[bool] = False

    @classmethod
    def official_name(cls) -> str:
        """What outputs files call the task, e.g. "LaMP_3"."""
        return cls.folder.split("/")[0]

    @abstractmethod
    def query(self, input: str) -> str:
        """The retrieval query: the input's content without its instruction.

        Raises ValueError where `input` is not of this task's form.
        """

    def subject(self, input: str) -> str:
        """What PPlug's input encoder reads; the query unless the task says otherwise."""
        return self.query(input)

    @abstractmethod
    def behavior(self, raw: Mapping[str, Any]) -> Behavior:
        """A profile item of the official file as a Behavior.

        Raises KeyError for a missing field and TypeError for one of a wrong type, naming it.
        """

    @abstractmethod
    def demonstration(self, behavior: Behavior, tokens: int | None, tokenizer: Tokenizer) -> str:
        """The official item prompt; only `content` is cut to fit `tokens` (None: whole)."""

    @abstractmethod
    def personalized_prompt(
        self,
        example: Example,
        behaviors: Sequence[Behavior],
        tokenizer: Tokenizer,
        max_length: int,
    ) -> str:
        """The official profile prompt (methods.md §3a) of at most `max_length` tokens.

        `behaviors` in prompt order; none → `example.input` as it is.
        """

    @abstractmethod
    def training_pairs(self, example: Example) -> list[tuple[str, str]]:
        """The user's own history as (input, output) pairs, for per-user tuning."""

    def history_text(self, behavior: Behavior, *, labels: bool = False) -> str:
        """What a history encoder reads; with `labels`, the response too (methods.md §1.2)."""
        if labels and behavior.response is not None and not self.response_in_text:
            return f"{behavior.text} {behavior.response}"
        return behavior.text

    @abstractmethod
    def score(
        self,
        predictions: Sequence[Prediction],
        golds: Mapping[str, str],
        scoring: Scoring = DEFAULT_SCORING,
    ) -> dict[str, Score]:
        """Every metric of the task over all golds, with its per-example rows.

        A missing prediction counts as wrong.
        """
