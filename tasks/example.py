"""The data passed between the floors: histories, examples, data sets, predictions and scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tasks.common.dates import sort_keys


@dataclass(frozen=True, slots=True)
class Behavior:
    """One item of a user's behavior history ("profile" in LaMP's files).

    Attributes:
        id: unique within its history.
        text: what retrievers and encoders read (the task's official corpus text).
        content: what the prompt shows, and may truncate to fit its budget.
        response: the user's own answer (tag, score or title); None if items of this task have none.
        date: in ISO 8601, as loading writes it (2014, 2014-07-08, 2014-07-08T10:00:00 in UTC); or
            a number that only orders the items; or None.
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
        id: unique within its data set.
        user_id: the user named in the file, or the example's own id if the file names none (user
            split).
        input: the official prompt, verbatim.
        query: what retrievers search with (the official query construction).
        subject: what PPlug's input encoder reads: the query, except in LaMP-1, where it is the
            author's own title (methods.md).
        history: the user's behaviors in file order: oldest first in time-ordered files. A tuple, or
            what equals one.
        date: the date of the query, or None.
    """

    id: str
    user_id: str
    input: str
    query: str
    subject: str
    history: Sequence[Behavior]
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """The examples of one set (train, dev or test), with the golds stored separately.

    `Method.predict` receives only `examples`, so no gold can leak into a prediction.

    Attributes:
        task: the task's name, e.g. "LaMP-3".
        set: "train", "dev" or "test".
        golds: example id → gold output; None for a test set without golds.
        fingerprint: a SHA-256 over the source files and loading options; part of a cell's key.
        attributes: example id → column → text, for slices; a method sees none of them.
    """

    task: str
    set: str
    examples: tuple[Example, ...]
    golds: Mapping[str, str] | None
    fingerprint: str
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.examples)

    def pairs(self) -> Iterator[tuple[Example, str]]:
        """Each example with its gold. Raises ValueError if the data set has no golds."""
        if self.golds is None:
            raise ValueError(f"the {self.set} set of {self.task} has no golds")
        for example in self.examples:
            yield example, self.golds[example.id]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A method's answer to one example, and what it cost.

    Attributes:
        id: the example's id.
        text: the answer, or None if the method failed.
        behaviors: ids of the behaviours shown in the prompt, in prompt order.
        prompt_tokens: length of the prompt as the LLM read it, excluding soft tokens.
        truncated_tokens: number of tokens cut off the end of the prompt to fit its budget.
        new_tokens: number of tokens generated.
        query_tokens: length of the query by itself; 0 if no LLM was asked.
        query_tokens_cut: how many of them the LLM did not read, whoever cut them off.
        error: why there is no text.
        note: how the answer came about, if that is unusual ("empty history: global majority");
            predictions with the same note are counted together.
    """

    id: str
    text: str | None
    behaviors: tuple[str, ...] = ()
    prompt_tokens: int = 0
    truncated_tokens: int = 0
    new_tokens: int = 0
    error: str | None = None
    note: str | None = None
    query_tokens: int = 0
    query_tokens_cut: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """The value of one metric over the predictions for a data set.

    Attributes:
        metric: e.g. "accuracy".
        value: in the metric's own unit: ROUGE, accuracy and F1 in [0, 1]; BLEU and chrF in
            [0, 100].
        n: number of examples scored, including failed and unparsed ones, which count as wrong.
        n_failed: number of examples without a prediction.
        n_unparsed: number of predictions that are not a label of the task.
        higher_is_better: False for errors.
        rows: [n][c] per-example statistics in the order of the golds, from which `Metric.reduce`
            computes the value; c depends on the metric. None for a metric that is known for all
            examples together only: its value has no interval.
    """

    metric: str
    value: float
    n: int
    n_failed: int
    n_unparsed: int
    higher_is_better: bool
    rows: tuple[tuple[float, ...], ...] | None = field(repr=False)


def newest_first(history: Sequence[Behavior]) -> list[int]:
    """Indices into `history`, newest first.

    Of equal dates, the one later in the file comes first. Undated behaviours follow all dated ones,
    the last in the file first, because LaMP's undated histories are in chronological order
    (methods.md §3a, §3c).
    """
    keys = sort_keys([behavior.date for behavior in history])
    return sorted(range(len(history)), key=lambda i: (keys[i], i), reverse=True)
