"""The declaration of a task by a table: [tasks.NAME] of bench.toml."""

from pathlib import Path
from string import Formatter
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, model_validator

from tasks.common.dates import check_format
from tasks.common.errors import ConfigError
from tasks.common.files import content_key
from tasks.common.words import WordRule
from tasks.task import Kind

NOT_CONTENT = {"file", "about", "metrics"}
"""Fields that no prompt, answer or split depends on; the file's bytes have a hash of their own."""
PLACEHOLDERS = {"instruction": {"labels"}, "item": {"input", "output"}}


class TableConfig(BaseModel):
    """A task whose data is one table with a row per text of a user.

    Attributes:
        about: one line for `bench list`.
        kind: what is answered: a text, one of several labels, or a number on a scale.
        file: .csv, .tsv, .jsonl (.ndjson) or .parquet; relative paths start at bench.toml's folder.
        encoding: of a text file; a byte order mark overrides it.
        user, input, output: the columns that say who, what was given, and what the user answered.
        time: the column that orders a user's rows; None: the order of the file.
        dates: how `time` is written: "day-first", "month-first" or a format for `strptime`; None:
            recognized from the whole column.
        id: the column that names a row; None: its number in the file.
        attributes: columns that are kept with each query and that no method sees.
        instruction: precedes every input; {labels} stands for the labels.
        item: how a prompt shows a history item, with {input} and {output}.
        labels: the closed set of answers, in order; (): inferred from the train set's outputs.
        metrics: the primary one first; (): those of the kind.
        words: how ROUGE, BLEU and BM25 divide texts into words: "unicode" for every script, or
            "lamp" as LaMP's scripts do.
        max_new_tokens: the longest answer, in tokens; None: 128 for texts, 32 for labels, 10 for
            numbers.
        train, dev, test: queries per user in each set, the newest ones. None takes all, but where
            users are split by time, one each for dev and test.
        min_history: queries with fewer earlier rows are left out.
        user_shares: of the users, for train, dev and test where a suite splits by users.
        faulty_rows: "error" refuses a file with a row that can't be used, "drop" leaves it out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str = ""
    kind: Kind
    file: Path
    encoding: str = "utf-8"
    user: str = "user"
    input: str = "input"
    output: str = "output"
    time: str | None = None
    dates: str | None = None
    id: str | None = None
    attributes: tuple[str, ...] = ()
    instruction: str | None = None
    item: str | None = None
    labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    words: WordRule = "unicode"
    max_new_tokens: PositiveInt | None = None
    train: PositiveInt | None = None
    dev: NonNegativeInt | None = None
    test: NonNegativeInt | None = None
    min_history: NonNegativeInt = 1
    user_shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    faulty_rows: Literal["error", "drop"] = "error"

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_columns()
        self._check_labels()
        for name, known in PLACEHOLDERS.items():
            _check_template(name, getattr(self, name), known)
        try:
            check_format(self.dates)
        except ConfigError as error:
            raise ValueError(f"{error.what}. {error.hint}") from None
        if self.dates is not None and self.time is None:
            raise ValueError("`dates` says how times are written, but there is no `time` column")
        if min(self.user_shares) < 0 or abs(sum(self.user_shares) - 1) > 1e-6:
            raise ValueError("`user_shares` are shares of train, dev and test, which sum to 1")
        return self

    def _check_columns(self) -> None:
        roles = {name: getattr(self, name) for name in ("user", "input", "output", "time", "id")}
        seen: dict[str, str] = {}
        for role, column in roles.items():
            if column is not None and (other := seen.setdefault(column, role)) != role:
                raise ValueError(f"`{other}` and `{role}` name the same column {column!r}")

    def _check_labels(self) -> None:
        if self.labels and self.kind is Kind.GENERATION:
            raise ValueError("a generation task has no `labels`; its kind may be classification")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("`labels` names a label twice")
        for label in self.labels:
            if label != label.strip() or not label:
                raise ValueError(f"label {label!r} is empty or begins or ends with a space")
            if self.kind is Kind.ORDINAL and not _is_number(label):
                raise ValueError(f"label {label!r} of an ordinal task is not a number")

    @property
    def columns(self) -> dict[str, str]:
        """Role → column, of every column that is read, attributes excluded."""
        roles = {name: getattr(self, name) for name in ("user", "input", "output", "time", "id")}
        return {role: column for role, column in roles.items() if column is not None}

    @property
    def digest(self) -> str:
        """A hash of what decides queries, histories and prompts, the file's content excluded."""
        return content_key(self.model_dump(mode="json", exclude=NOT_CONTENT))


def _check_template(name: str, template: str | None, known: set[str]) -> None:
    if template is None:
        return
    try:
        found = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise ValueError(
            f"`{name}` is no template ({error}); write a brace as {{{{ or }}}}"
        ) from None
    if unknown := sorted(found - known):
        names = " and ".join(f"{{{field}}}" for field in sorted(known))
        raise ValueError(f"`{name}` names {{{unknown[0]}}}; it may name {names}")
    if name == "item" and "input" not in found:
        raise ValueError("`item` shows no {input}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
