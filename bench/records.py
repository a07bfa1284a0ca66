"""The stored form of a cell: what cell.json and scores.json hold, key by key."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_serializer,
    model_validator,
)

from methods import Cost, FitReport
from tasks import Prediction, Score
from tasks.scoring import Scoring

SCHEMA = 2
"""Version of the stored form. 1 had no checksums; a later one than this can't be read."""

SHOWN_IDS = 5
"""Ids that a record names of examples to which the same happened."""


class _Record(BaseModel):
    """Frozen, of exact types. Keys that only a later version writes are kept, not refused."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


class Seconds(_Record):
    """Wall-clock seconds of a cell's phases.

    Attributes:
        load: opening the models.
        fit: fitting, or loading a fit that another cell left.
        predict: answering, resumed chunks not counted.
    """

    load: float
    fit: float
    predict: float

    @property
    def total(self) -> float:
        return self.load + self.fit + self.predict


class PeakBytes(_Record):
    """Highest memory use during a cell, in bytes; `gpu` is None without one."""

    resident: int
    gpu: int | None


class Fit(_Record):
    """What training did: the fields of `FitReport`, and how long it took.

    Attributes:
        seconds: of the cell that trained it, also where this cell only loaded it; after a kill,
            those since the resume.
    """

    steps: int
    examples: int
    curve: tuple[dict[str, Any], ...]
    notes: dict[str, Any]
    seconds: float = 0.0

    @classmethod
    def from_report(cls, report: FitReport, seconds: float) -> Self:
        return cls(
            steps=report.steps,
            examples=report.examples,
            curve=report.curve,
            notes=report.notes,
            seconds=seconds,
        )


class Totals(_Record):
    """A cell's predictions, summed up.

    Attributes:
        n: predictions.
        failed: predictions without a text.
        truncated: prompts that the budget cut.
        prompt_tokens_mean: tokens of a prompt as the LLM read it, soft tokens not counted.
        new_tokens_mean: tokens generated for an answer.
        behaviors_mean: behaviours in a prompt.
        query_read_mean: share of a query's tokens that the LLM read; None without an LLM, and in
            records of versions that didn't count it.
        queries_cut: queries of which the LLM did not read all; None likewise.
        notes: `Prediction.note` → number of predictions that carry it.
        empty: answers without a character; None in records of versions that didn't count it, as
            for those that follow.
        at_token_limit: answers that took every token they may take, so that most are cut; None
            without an LLM.
        queries_lost: queries of which the LLM read no token; None without an LLM.
        lost_ids: ids of the first of them.
    """

    n: int
    failed: int
    truncated: int
    prompt_tokens_mean: float
    new_tokens_mean: float
    behaviors_mean: float
    notes: dict[str, int]
    query_read_mean: float | None = None
    queries_cut: int | None = None
    empty: int | None = None
    at_token_limit: int | None = None
    queries_lost: int | None = None
    lost_ids: tuple[str, ...] = ()

    @classmethod
    def from_predictions(
        cls, predictions: Sequence[Prediction], max_new_tokens: int | None = None
    ) -> Self:
        """Counts and means of a cell's predictions.

        Args:
            max_new_tokens: that an answer may take; None without an LLM.
        """
        n = max(1, len(predictions))
        asked = [prediction for prediction in predictions if prediction.query_tokens]
        read = [1 - prediction.query_tokens_cut / prediction.query_tokens for prediction in asked]
        lost = [p.id for p in asked if p.query_tokens_cut >= p.query_tokens]
        notes = Counter(prediction.note for prediction in predictions if prediction.note)
        return cls(
            n=len(predictions),
            failed=sum(prediction.text is None for prediction in predictions),
            truncated=sum(prediction.truncated_tokens > 0 for prediction in predictions),
            prompt_tokens_mean=sum(prediction.prompt_tokens for prediction in predictions) / n,
            new_tokens_mean=sum(prediction.new_tokens for prediction in predictions) / n,
            behaviors_mean=sum(len(prediction.behaviors) for prediction in predictions) / n,
            notes=dict(sorted(notes.items())),
            query_read_mean=fmean(read) if read else None,
            queries_cut=sum(p.query_tokens_cut > 0 for p in asked) if asked else None,
            empty=sum(p.text is not None and not p.text.strip() for p in predictions),
            at_token_limit=None
            if max_new_tokens is None
            else sum(p.new_tokens >= max_new_tokens for p in predictions),
            queries_lost=len(lost) if asked else None,
            lost_ids=tuple(lost[:SHOWN_IDS]),
        )


class ModelDescriptions(_Record):
    """The models as they were loaded; None where the method uses none.

    Attributes:
        llm: `LanguageModel.description`: name, weights, dtype, device, batch size, decoding.
        encoder: `Encoder.description`: name, weights, dimension, dtype, device, texts encoded.
    """

    llm: dict[str, Any] | None
    encoder: dict[str, Any] | None


class Environment(_Record):
    """The software and hardware that a cell ran on.

    Attributes:
        python: its version.
        platform: operating system and C library.
        processor: architecture, such as "x86_64".
        cpus: logical cores of the machine; None where the system doesn't say.
        threads: that torch uses for one operation.
        processes: that ran the cell together; memory and times are the main one's.
        gpus: names of the visible ones.
        packages: name → version; None where it is not installed.
        commit: of the project's checkout; None for an installed package.
        dirty: whether that checkout had uncommitted changes.
    """

    python: str
    platform: str
    processor: str
    cpus: int | None
    threads: int
    gpus: tuple[str, ...]
    packages: dict[str, str | None]
    commit: str | None
    dirty: bool
    processes: int = 1


class CellRecord(_Record):
    """cell.json: what was run, on what, and what it cost.

    Attributes:
        identity: everything that decides the predictions, as JSON.
        key: hash of `identity`, and the end of the cell's folder name.
        suite, data: names in bench.toml of the suite and of the data source.
        task: the task's name, such as "LaMP-3".
        method: the variant's name in the suite, with its control ("bm25@shuffled-user").
        config: the method's options, defaults included.
        llm, encoder: names in bench.toml; None where the method uses none.
        seed: the root of every random choice.
        started: when, in ISO 8601 (UTC).
        seconds, peak_bytes: time and memory.
        fit: what training did.
        cost: what a deployment needs besides the frozen LLM.
        totals: the predictions, summed up.
        models: the models as they were loaded.
        environment: software and hardware.
        warnings: findings about the data that may mislead a reader of the scores.
        schema_version: of the stored form, see `SCHEMA`.
        files: path within the cell's folder → SHA-256 of the file, of all but cell.json itself and
            scores.json, which hold their own.
    """

    identity: dict[str, Any]
    key: str
    suite: str
    data: str
    task: str
    method: str
    config: dict[str, Any]
    llm: str | None
    encoder: str | None
    seed: int
    started: str
    seconds: Seconds
    peak_bytes: PeakBytes
    fit: Fit
    cost: Cost
    totals: Totals
    models: ModelDescriptions
    environment: Environment
    warnings: tuple[str, ...] = ()
    schema_version: int = 1
    files: dict[str, str] = {}

    @property
    def has_checksums(self) -> bool:
        """Whether damage of the cell's files can be seen; earlier versions stored none."""
        return self.schema_version > 1


class MetricScores(_Record):
    """One metric of one cell.

    Attributes:
        metric: its name, such as "rouge1".
        value: in the metric's own unit (see `tasks.Score`).
        n: examples scored; failed and unparsed ones count as wrong.
        n_failed: examples without a prediction.
        n_unparsed: predictions that are no label of the task.
        higher_is_better: False for errors.
        rows: [n][c] per-example statistics, from which the value and any resample are computed;
            None for a metric known for all examples together only, whose value has no interval.
    """

    metric: str
    value: float
    n: int
    n_failed: int
    n_unparsed: int
    higher_is_better: bool
    rows: tuple[tuple[float, ...], ...] | None

    @classmethod
    def from_score(cls, score: Score) -> Self:
        return cls(**{name: getattr(score, name) for name in cls.model_fields})


class CellScores(_Record):
    """scores.json: every metric of a cell.

    Attributes:
        scoring: the rules it was scored under.
        ids: [n] the examples, in the order of every metric's rows.
        users: [n] whose example each is.
        metrics: name → scores, the task's primary metric first.
        withheld: metrics of the task that could not be computed → why, and how to get them.
        predictions: SHA-256 of the predictions.jsonl that was scored; None in records of versions
            without checksums.
        schema_version: of the stored form, see `SCHEMA`.
    """

    scoring: Scoring
    ids: tuple[str, ...]
    users: tuple[str, ...]
    metrics: dict[str, MetricScores] = Field(min_length=1)
    withheld: dict[str, str] = {}
    predictions: str | None = None
    schema_version: int = 1

    @field_serializer("scoring")
    def _leave_out_unused(self, scoring: Scoring) -> dict[str, Any]:
        """Without modules of `evaluate`, rules are written without a word about them."""
        return {key: value for key, value in asdict(scoring).items() if value != ()}

    @model_serializer(mode="wrap")
    def _leave_out_nothing_withheld(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Where every metric was computed, scores are written without a word about others."""
        written: dict[str, Any] = write(self)
        if not self.withheld:
            written.pop("withheld", None)
        return written

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        n = len(self.ids)
        known = [metric.rows for metric in self.metrics.values() if metric.rows is not None]
        lengths = {len(self.users), *map(len, known)}
        if lengths != {n}:
            raise ValueError(f"{n} ids, but lists of {sorted(lengths - {n})} users or rows")
        return self
