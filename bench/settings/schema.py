"""What bench.toml may hold. A typo is an error that names the nearest key."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    JsonValue,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from bench.settings.needs import NeedsSettings
from bench.settings.tables import inherit, look_up, merge, select_task
from methods.core.controls import SEPARATOR
from methods.models.config import EncoderConfig, FrozenConfig, LLMConfig
from tasks import TASKS, Task
from tasks.budget import LAMP, Budget, BudgetRule
from tasks.common.dates import check_format
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean
from tasks.data.layout import SetName, SplitName
from tasks.mini.world import WorldConfig
from tasks.scoring import DEFAULT_SCORING, Aggregator, EvaluateModule, Scoring, Unparsed
from tasks.table.config import TableConfig

DEFAULT_SUITE = "mini"
LONGEST_NAME = 100
FORBIDDEN = re.compile(rf"[/\\\x00-\x1f\x7f{SEPARATOR}]")


def _check_name(name: str) -> str:
    """Suites and variants are folders of results; NAME@CONTROL is a method under a control."""
    faulty = FORBIDDEN.search(name) or name != name.strip() or name.startswith(".")
    # A file's name has at most 255 bytes, of which a control's name and others take some.
    too_long = len(name) > LONGEST_NAME or len(name.encode("utf-8", "replace")) > 2 * LONGEST_NAME
    if faulty or too_long or not name:
        raise ValueError(
            f"{name[:LONGEST_NAME]!r} is not usable as a name: it may not hold / or \\ or "
            f"{SEPARATOR} or control characters, nor begin with a dot or a space, and has at most "
            f"{LONGEST_NAME} characters ({2 * LONGEST_NAME} bytes)"
        )
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class _Strict(FrozenConfig, BaseModel):
    """Names BaseModel again, by which linters know that defaults are copied."""


class StoreSettings(_Strict):
    """Where results and shared artefacts live; relative paths start at bench.toml's folder.

    Attributes:
        runs: predictions, scores and records, one folder a cell.
        cache: adapted LLMs, embeddings, fitted methods; safe to delete.
    """

    runs: Path = Path("results/runs")
    cache: Path = Path("results/cache")


class DataSettings(_Strict):
    """One source of data: a folder in LaMP's official layout, or one that is generated.

    Attributes:
        root: the folder that holds `user/` and `time/` (or a task's files directly).
        sample: seed of the small sample, written to the cache at first use.
        mini: the knobs of a LaMP-mini world, written to the cache at first use.
        known_faults: items of the official files that are known to be corrupt: "keep" or "drop".
        dates: how dates are written: "day-first", "month-first" or a format such as "%d/%m/%Y";
            None: recognized from all dates of a file.
        fill: how to make the files of a root that is missing, for the message that says so.
    """

    root: Path | None = None
    sample: int | None = None
    mini: WorldConfig | None = None
    known_faults: Literal["keep", "drop"] = "drop"
    dates: str | None = None
    fill: str | None = None

    @field_validator("dates")
    @classmethod
    def _check_dates(cls, dates: str | None) -> str | None:
        try:
            return check_format(dates)
        except ConfigError as error:
            raise ValueError(f"{error.what}; {error.hint}") from error

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.root, self.sample, self.mini].count(None) != 2:
            raise ValueError("give one of `root`, `sample` and `mini`")
        return self


BERTSCORE = "methods.models.bertscore:BertScore"
"""What a metric with an encoder is, unless its table names another class."""


class EvaluateSettings(_Strict):
    """A metric "evaluate:NAME", which a module of Hugging Face's `evaluate` computes.

    The attributes are those of `tasks.scoring.EvaluateModule`; `module` is the name itself where
    it isn't given, and a relative path starts at the file's own folder. With `encoder`, the name of
    an [encoders.*] table, the module is BERTScore and its value F1, unless others are given.
    """

    module: str | None = None
    higher_is_better: bool
    value: str | None = None
    config: str | None = None
    encoder: str | EncoderConfig | None = None
    revision: str | None = None
    options: dict[str, JsonValue] = {}
    one_by_one: bool = False
    worst: float | None = Field(None, allow_inf_nan=False)
    tasks: tuple[str, ...] = ()


class ScoringSettings(_Strict):
    """How stored predictions are scored; not part of a cell's key.

    Attributes:
        unparsed, aggregator: the scoring rules, see `Scoring`.
        evaluate: the metrics that modules of `evaluate` compute, by name.
        confidence, resamples: level of intervals and tests, and random sign patterns of a
            permutation test.
    """

    unparsed: Unparsed = DEFAULT_SCORING.unparsed
    aggregator: Aggregator = DEFAULT_SCORING.aggregator
    evaluate: dict[str, EvaluateSettings] = {}
    confidence: float = Field(0.95, gt=0, lt=1)
    resamples: PositiveInt = 2000

    @property
    def rules(self) -> Scoring:
        """What decides the scores, without what decides their intervals."""
        modules = [_make_module(name, table) for name, table in self.evaluate.items()]
        return Scoring(self.unparsed, self.aggregator, tuple(modules))


def _make_module(name: str, table: EvaluateSettings) -> EvaluateModule:
    """What a [scoring.evaluate.*] table declares."""
    fields = {**table.model_dump(), "name": name, "module": table.module or name}
    if table.encoder is not None:
        fields |= {"module": table.module or BERTSCORE, "value": table.value or "f1"}
    return EvaluateModule(**fields)


class Suite(_Strict):
    """A named grid: tasks × LLMs × encoders × methods × seeds, on equal terms.

    Attributes:
        about: one line for `bench list`.
        data: name of a [data.*] table, or several: then each task has a column for each of them.
            A task that [tasks.*] declares brings its own data, so that a suite of such needs none.
        split: LaMP's "user" or "time" split; declared tasks are split likewise.
        train, evaluate: the sets to fit on and to answer.
        methods: registered methods and variants; "NAME@CONTROL" is a method under a control (see
            `methods.core.controls`).
        controls: add NAME@shuffled-user for every method that reads the history.
        seeds: of every method that a seed can change; all others run once, with seed 0.
        training: replaces the same keys of every trained method's own `training`, for LLMs of a
            size far from the one that the variants are written for.
        options: method → options that replace its variant's own, also where the method is the
            member of a pool; applied after `training`; may hold `per_task`.
        max_input_tokens: the prompt budget of every method, special tokens included (law 2); with
            several, each method has a row for each.
        budget_rule: what gives way in a prompt that exceeds the budget, see `tasks.budget`; with
            several, each method has a row for each rule and number of tokens.
        train_limit, evaluate_limit: take only the first N queries (a smoke test).
        validation_share: share of the train queries held out for the dev loss where the evaluated
            set is "dev", so that no method ever sees the golds it is scored on.
        trials: method → how many settings of it were compared beforehand to choose the suite's; the
            table shows them. Changes no result.
        workers: processes that share the cells, for models so small that one process can't
            keep all cores busy. Threads of each: see `bench.threads`.
        reference: the method that differences are taken to.
        instruction_only: the method with all trained capacity but no user (for Δtask, law 3).
    """

    about: str = ""
    data: tuple[str, ...] = ()
    split: SplitName = "time"
    train: SetName = "train"
    evaluate: SetName = "dev"
    tasks: tuple[str, ...] = Field(min_length=1)
    methods: tuple[str, ...] = Field(min_length=1)
    controls: bool = False
    llms: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1)
    training: dict[str, Any] = {}
    options: dict[str, dict[str, Any]] = {}
    max_input_tokens: tuple[PositiveInt, ...] = Field((256,), min_length=1)
    budget_rule: tuple[BudgetRule, ...] = Field((LAMP,), min_length=1)
    train_limit: PositiveInt | None = None
    evaluate_limit: PositiveInt | None = None
    validation_share: float = Field(0.05, ge=0, lt=1)
    trials: dict[str, NonNegativeInt] = {}
    workers: PositiveInt = 1
    reference: str = "zero-shot"
    instruction_only: str = "pplug-instruction-only"

    @field_validator("data", mode="before")
    @classmethod
    def _one_name(cls, data: Any) -> Any:
        return (data,) if isinstance(data, str) else data

    @field_validator("max_input_tokens", "budget_rule", mode="wrap")
    @classmethod
    def _one_value(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, list | tuple):
            return check(value)
        try:
            return check((value,))
        except ValidationError as error:  # names the key itself, not a place in a list
            raise ValueError(error.errors()[0]["msg"]) from None

    @field_validator("max_input_tokens", "budget_rule")
    @classmethod
    def _check_distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"names a value twice: {', '.join(map(str, values))}")
        return values

    @model_validator(mode="after")
    def _sets_differ(self) -> Self:
        if self.train == self.evaluate:
            raise ValueError(f"`train` and `evaluate` are both {self.train!r}")
        return self

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Every prompt budget: each rule with each number of tokens."""
        return tuple(Budget(n, rule) for rule in self.budget_rule for n in self.max_input_tokens)


class Settings(_Strict):
    """The shipped settings and the user's bench.toml together.

    Attributes:
        default_suite: what `bench run` without a suite runs.
        tasks: tasks declared by a table of the user's own (see `TableConfig`).
        methods: variants. `method` names a registered method (default: the variant's own name) or
            another variant, whose options it takes over; `about` describes it; `per_task` holds
            options of single tasks; the other keys are options. They are checked against the
            method's Config when the grid is planned.
        trainings: options of a training that `training = "NAME"` of a variant or suite refers to.
        needs: what a worker of a cluster takes of its node, by the name of an LLM or encoder.
        pools: lists of methods and variants that `pool = "NAME"` of a variant or suite refers to.
        suites: one with `like` takes over the keys of that suite that it doesn't set itself, and
            within `training` and `options` likewise; `about` is its own.
    """

    default_suite: str = DEFAULT_SUITE
    store: StoreSettings = StoreSettings()
    scoring: ScoringSettings = ScoringSettings()
    data: dict[Name, DataSettings] = {}
    tasks: dict[Name, TableConfig] = {}
    llms: dict[Name, LLMConfig] = {}
    encoders: dict[Name, EncoderConfig] = {}
    needs: dict[Name, NeedsSettings] = {}
    methods: dict[Name, dict[str, Any]] = {}
    trainings: dict[Name, dict[str, Any]] = {}
    pools: dict[Name, tuple[str, ...]] = {}
    suites: dict[Name, Suite]

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, raw: Any) -> Any:
        suites = raw.get("suites") if isinstance(raw, dict) else None
        if not isinstance(suites, dict):
            return raw
        return {**raw, "suites": {name: inherit(suites, name) for name in suites}}

    @field_validator("tasks")
    @classmethod
    def _check_own_names(cls, tasks: dict[str, TableConfig]) -> dict[str, TableConfig]:
        for name in tasks:
            if name in TASKS.targets:
                raise ValueError(f"{name!r} is the name of a registered task; choose another")
        return tasks

    @model_validator(mode="after")
    def _check_needs(self) -> Self:
        known = [*self.llms, *self.encoders]
        for name in self.needs:
            if name not in known:
                raise ConfigError(
                    f"[needs.{name}] names no LLM and no encoder", hint=did_you_mean(name, known)
                )
        return self

    @model_validator(mode="after")
    def _check_metrics_tasks(self) -> Self:
        """Raise ConfigError for a task without this name, which no metric would ever score."""
        added = {n: table.tasks for n, table in self.scoring.evaluate.items() if table.tasks}
        known = {name for suite in self.suites.values() for name in suite.tasks} if added else set()
        if any(":" in name for name in known):
            return self  # a class of the user's own, whose name only importing it shows
        known.update(self.task_names() if added else ())
        for metric, tasks in added.items():
            for name in tasks:
                if name not in known:
                    raise ConfigError(
                        f"[scoring.evaluate.{metric}] names an unknown task {name!r}",
                        hint=did_you_mean(name, sorted(known)),
                    )
        return self

    def task_names(self) -> list[str]:
        """The names of all tasks: registered and declared ones."""
        return [*TASKS.names(), *self.tasks]

    def task(self, name: str, split: SplitName = "time") -> type[Task]:
        """A declared or registered task by name.

        Args:
            split: how a declared task's table is divided; its labels are those of the train set.

        Raises:
            ConfigError: unknown; the message has the nearest name.
            DataError: the table of a declared task can't be read.
        """
        if name in self.tasks:
            from tasks.table.task import make_task

            return make_task(name, self.tasks[name], split)
        if ":" not in name and name not in TASKS.targets:
            raise ConfigError(f"unknown task {name!r}", hint=did_you_mean(name, self.task_names()))
        return TASKS.get(name)

    def suite(self, name: str | None) -> tuple[str, Suite]:
        """A suite by name (None: the default). Raises ConfigError with the nearest name."""
        name = name or self.default_suite
        return name, look_up(self.suites, name, "suite")

    def llm(self, name: str) -> LLMConfig:
        """An LLM by name. Raises ConfigError with the nearest name."""
        return look_up(self.llms, name, "LLM")

    def encoder(self, name: str) -> EncoderConfig:
        """An encoder by name. Raises ConfigError with the nearest name."""
        return look_up(self.encoders, name, "encoder")

    def source(self, name: str) -> DataSettings:
        """A data source by name. Raises ConfigError with the nearest name."""
        return look_up(self.data, name, "data source")

    def variant(self, name: str, task: str | None = None) -> tuple[str, dict[str, Any]]:
        """(registered method, options) of a variant or of a plain method name, for a task."""
        return self._variant(name, task, ())

    def _variant(
        self, name: str, task: str | None, above: tuple[str, ...]
    ) -> tuple[str, dict[str, Any]]:
        table = dict(self.methods.get(name, {}))
        table.pop("about", None)
        parent = table.pop("method", name)
        if not isinstance(parent, str) or parent in above:
            raise ConfigError(
                f"[methods.{name}] names its method by {parent!r}",
                hint='Name a registered method or another variant, such as method = "bm25"',
            )
        options = select_task(table, task, f"[methods.{name}]", self.task_names())
        if parent == name or parent not in self.methods:
            return parent, options
        method, inherited = self._variant(parent, task, (*above, name))
        return method, merge(inherited, options)
