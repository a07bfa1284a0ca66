"""The data that pass between the floors: what a user did, what is asked, what was answered."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Behavior:
    """One item of a user's behaviour history ("profile" in LaMP's files).

    Attributes:
        id: unique within its history.
        text: what retrievers index and encoders encode (the task's official corpus text).
        content: the part that a prompt may cut to fit its budget.
        response: what the user answered (tag, score, title); None where the item has no such side.
        date: as in the file, or None.
    """

    id: str
    text: str
    content: str
    response: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One query of one user, without its gold.

    Attributes:
        id: unique within its split.
        user_id: the file's user, or the example's own id where the file names none (user split).
        input: the official prompt, verbatim.
        query: what retrievers search with (the official query construction).
        subject: what the input encoder of PPlug reads; the query but for LaMP-1 (methods.md: the
            author's own title).
        history: the user's behaviours, in file order (time order where the file is in time order).
        date: of the query, where the file has it.
    """

    id: str
    user_id: str
    input: str
    query: str
    subject: str
    history: tuple[Behavior, ...]
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The examples of one set, with the golds kept apart.

    `Method.predict` gets `examples` alone, so no gold can leak into a prediction.

    Attributes:
        task: the task's name, e.g. "LaMP-3".
        set: "train", "dev" or "test".
        golds: example id → gold output, or None for a test set without golds.
        fingerprint: SHA-256 of the files read: the data's part of a cell's key.
    """

    task: str
    set: str
    examples: tuple[Example, ...]
    golds: Mapping[str, str] | None
    fingerprint: str

    def __len__(self) -> int:
        return len(self.examples)

    def pairs(self) -> Iterator[tuple[Example, str]]:
        """Each example with its gold. Raises ValueError where the split has no golds."""
        if self.golds is None:
            raise ValueError(f"the {self.set} set of {self.task} has no golds")
        for example in self.examples:
            yield example, self.golds[example.id]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a method answered for one example, and at what price.

    Attributes:
        id: the example's id.
        text: the answer, or None where the method failed.
        behaviors: ids of the behaviours put into the prompt, in prompt order.
        prompt_tokens: tokens of the prompt as the LLM read it (soft tokens not counted).
        truncated_tokens: tokens that the budget cut off the end of the prompt.
        new_tokens: tokens generated.
        error: why there is no text.
        note: what a reader of the totals must know of how it came about ("empty history: global
            majority"); equal notes are counted together.
    """

    id: str
    text: str | None
    behaviors: tuple[str, ...] = ()
    prompt_tokens: int = 0
    truncated_tokens: int = 0
    new_tokens: int = 0
    error: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One metric over one set of predictions.

    Attributes:
        metric: e.g. "accuracy".
        value: in the metric's own unit: ROUGE, accuracy and F1 in [0, 1], BLEU and chrF in
            [0, 100].
        n: examples scored, failed and unparsed ones included (law 1: they count as wrong).
        n_failed: examples without a prediction.
        n_unparsed: predictions that are no label of the task.
        higher_is_better: False for errors.
        rows: [n][c] per-example statistics in the order of the golds, from which `Metric.reduce`
            computes the value; c depends on the metric.
    """

    metric: str
    value: float
    n: int
    n_failed: int
    n_unparsed: int
    higher_is_better: bool
    rows: tuple[tuple[float, ...], ...] = field(repr=False)


def newest_first(history: Sequence[Behavior]) -> list[int]:
    """Indices into `history`, newest first.

    By the numbers of the date ("2014-07-08" → (2014, 7, 8)), equal dates later-in-file first;
    behaviours without a date come after all dated ones, later-in-file first: LaMP's files are in
    order of time where they show no date (methods.md §3a, §3c).
    """
    dates = [
        tuple(int(number) for number in re.findall(r"\d+", behavior.date or ""))
        for behavior in history
    ]
    return sorted(range(len(history)), key=lambda i: (dates[i], i), reverse=True)
