"""The Task interface: all that methods and the harness know about a task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from tasks.budget import LAMP, BudgetRule
from tasks.common.words import LAMP as LAMP_WORDS
from tasks.common.words import WordRule
from tasks.example import Behavior, Example, Prediction, Score
from tasks.scoring import DEFAULT_SCORING, EvaluateModule, Scoring


class Kind(StrEnum):
    """The kind of answer that a task asks for."""

    CLASSIFICATION = "classification"
    ORDINAL = "ordinal"
    GENERATION = "generation"


class Tokenizer(Protocol):
    """What a task needs of an LLM's tokenizer to keep a prompt within its budget."""

    def count(self, text: str) -> int:
        """The number of tokens in `text`, excluding special tokens."""

    def truncate(self, text: str, tokens: int) -> str:
        """The longest prefix of `text` with at most `tokens` tokens ("" if tokens ≤ 0)."""


class Task(ABC):
    """A personalization task.

    Class attributes:
        name: e.g. "LaMP-3".
        version: increased when results stop being comparable with earlier ones.
        folder: the task's folder in the official layout, e.g. "LaMP_3".
        kind: the kind of answer.
        labels: the closed set of answers; () for generation.
        metrics: names for `tasks.metrics.create`, the primary metric first.
        evaluate_modules: what names of the form "evaluate:NAME" among them mean, unless bench.toml
            says so.
        max_new_tokens: the longest answer, in tokens.
        response_in_text: whether a behaviour's text already contains its response, as in LaMP-4.
        gold_is_answer: whether a gold is an answer, which an LLM can be trained to give. False: it
            says what an answer must cover (`tasks.common.rubric`), and only scorers can read it.
        history_has_labels: whether the responses in a history are labels of the task.
        words: how ROUGE, BLEU and BM25 divide texts into words: "lamp", or "unicode" for languages
            that LaMP's scripts can't read (`tasks.common.words`).
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    folder: ClassVar[str]
    kind: ClassVar[Kind]
    labels: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[str, ...]]
    evaluate_modules: ClassVar[tuple[EvaluateModule, ...]] = ()
    max_new_tokens: ClassVar[int] = 128
    response_in_text: ClassVar[bool] = False
    gold_is_answer: ClassVar[bool] = True
    history_has_labels: ClassVar[bool] = False
    words: ClassVar[WordRule] = LAMP_WORDS

    @classmethod
    def identity(cls) -> list[Any]:
        """What stands for the task in keys of results that depend on its words."""
        return [cls.name, cls.version, *([] if cls.words == LAMP_WORDS else [cls.words])]

    @classmethod
    def headline_metrics(cls) -> tuple[str, ...]:
        """The metrics that a table shows unless all are asked for: the primary one.

        Where texts are divided by Unicode's rules, chrF is shown beside it: it needs no words.
        """
        beside = cls.words != LAMP_WORDS and "chrf" in cls.metrics[1:]
        return (*cls.metrics[:1], *(("chrf",) if beside else ()))

    @classmethod
    def official_name(cls) -> str:
        """The task's name in the official outputs files, e.g. "LaMP_3"."""
        return cls.folder.split("/")[0]

    @abstractmethod
    def query(self, input: str) -> str:
        """The retrieval query: the input without its instruction.

        Raises ValueError if `input` is not a prompt of this task.
        """

    def subject(self, input: str) -> str:
        """What PPlug's input encoder reads; by default, the query."""
        return self.query(input)

    def kept_query(self, example: Example, kept: int) -> str:
        """The part of the query that lies in the first `kept` characters of the input.

        If the query is no literal part of the input, the same share of it as of the input.
        """
        input, query = example.input, example.query
        start = input.rfind(query)
        if start < 0:
            return query[: len(query) * kept // max(1, len(input))]
        return query[: max(0, kept - start)]

    def gold_text(self, gold: str) -> str:
        """What people read of a gold, and what must not stand in a profile; by default, the gold.

        Raises ValueError if `gold` is not a gold of this task.
        """
        return gold

    @abstractmethod
    def behavior(self, raw: Mapping[str, Any]) -> Behavior:
        """Convert a profile item of the official file to a Behavior.

        Raises:
            KeyError: a field is missing.
            TypeError: a field has the wrong type.
        """

    @abstractmethod
    def demonstration(self, behavior: Behavior, tokens: int | None, tokenizer: Tokenizer) -> str:
        """The official item prompt, with `content` truncated so that it fits into `tokens` tokens.

        If `tokens` is None, nothing is truncated.
        """

    @abstractmethod
    def personalized_prompt(
        self,
        example: Example,
        behaviors: Sequence[Behavior],
        tokenizer: Tokenizer,
        max_length: int,
        rule: BudgetRule = LAMP,
    ) -> str:
        """The official profile prompt (methods.md §3a), at most `max_length` tokens long.

        If not all `behaviors` fit under the rule, the prompt is the plain input, cut if it must be.

        Args:
            behaviors: in prompt order; if empty, the prompt is `example.input`, unchanged.
            rule: what gives way where the prompt is too long.
        """

    @abstractmethod
    def training_pairs(self, example: Example) -> list[tuple[str, str]]:
        """The user's history as (input, output) pairs, for training per user."""

    def history_text(self, behavior: Behavior, *, labels: bool = False) -> str:
        """What a history encoder reads; `labels` adds the response (methods.md §1.2)."""
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

        A missing prediction counts as wrong. Metrics that can't be computed on this machine are
        left out (`tasks.metrics.find_withheld`), but never the primary one.
        """
