"""bench.toml → frozen models. A typo is an error that names the nearest key."""

import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from methods.core.controls import SEPARATOR
from methods.models.config import EncoderConfig, LLMConfig
from tasks import TASKS
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean
from tasks.data.layout import SetName, SplitName
from tasks.mini.world import WorldConfig
from tasks.scoring import DEFAULT_SCORING, Aggregator, Scoring, Unparsed

T = TypeVar("T")
M = TypeVar("M", LLMConfig, EncoderConfig)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoreSettings(_Strict):
    """Where results and shared artefacts live; relative paths start at bench.toml's folder."""

    runs: Path = Path("results/runs")
    cache: Path = Path("results/cache")


class DataSettings(_Strict):
    """One source of data: a folder in LaMP's official layout, or one that is generated.

    Attributes:
        root: the folder that holds `user/` and `time/` (or a task's files directly).
        sample: seed of the small sample, written to the cache at first use.
        mini: the knobs of a LaMP-mini world, written to the cache at first use.
        known_faults: items of the official files that are known to be corrupt: "keep" or "drop".
    """

    root: Path | None = None
    sample: int | None = None
    mini: WorldConfig | None = None
    known_faults: Literal["keep", "drop"] = "drop"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.root, self.sample, self.mini].count(None) != 2:
            raise ValueError("give one of `root`, `sample` and `mini`")
        return self


class ScoringSettings(_Strict):
    """How stored predictions are scored; not part of a cell's key.

    Attributes:
        unparsed, aggregator: the rules, see `Scoring`.
        confidence, resamples: of the user-clustered bootstrap intervals.
    """

    unparsed: Unparsed = DEFAULT_SCORING.unparsed
    aggregator: Aggregator = DEFAULT_SCORING.aggregator
    confidence: float = Field(0.95, gt=0, lt=1)
    resamples: PositiveInt = 2000

    @property
    def rules(self) -> Scoring:
        """What decides scores, without what decides their intervals."""
        return Scoring(unparsed=self.unparsed, aggregator=self.aggregator)


class Suite(_Strict):
    """A named grid: tasks × LLMs × encoders × methods × seeds, at equal terms.

    Attributes:
        data: name of a [data.*] table, or several: then each task has a column for each of them.
        split: LaMP's "user" or "time" split.
        train, evaluate: the sets to fit on and to answer.
        methods: names of [methods.*] variants or of registered methods; "NAME@CONTROL" is that
            method under a control (see `methods.core.controls`).
        controls: add NAME@shuffled-user for every method that reads the history.
        training: in place of the same keys of every trained method's own `training`: for LLMs far
            from the sizes that the variants are written for.
        options: method → options in place of its variant's own, after `training`; `per_task` as in
            [methods.*].
        max_input_tokens: the prompt budget of every row, special tokens included (law 2).
        train_limit, evaluate_limit: take only the first so many queries (a smoke test).
        validation_share: share of the train queries kept from training for the dev loss where the
            evaluated set is "dev", so that no method ever sees the golds it is scored on.
        workers: processes that share the cells out, each with as many threads as cores divided by
            them: for models so small that one process can't keep all cores busy.
        reference: the row that differences are taken to.
        instruction_only: the row that has all trained capacity but no user (for Δtask, law 3).
    """

    about: str = ""
    data: tuple[str, ...] = Field(min_length=1)
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
    max_input_tokens: PositiveInt = 256
    train_limit: PositiveInt | None = None
    evaluate_limit: PositiveInt | None = None
    validation_share: float = Field(0.05, ge=0, lt=1)
    workers: PositiveInt = 1
    reference: str = "zero-shot"
    instruction_only: str = "pplug-instruction-only"

    @field_validator("data", mode="before")
    @classmethod
    def _one_name(cls, data: Any) -> Any:
        return (data,) if isinstance(data, str) else data

    @model_validator(mode="after")
    def _sets_differ(self) -> Self:
        if self.train == self.evaluate:
            raise ValueError(f"`train` and `evaluate` are both {self.train!r}")
        return self


class Settings(_Strict):
    """The whole of bench.toml.

    A [methods.NAME] table is a variant: `method` names a registered method (default: NAME) or
    another variant, whose options it takes over; `per_task` holds options for single tasks; the
    other keys are options for all. They are checked against the method's Config when the grid is
    planned. A suite with `like` takes over the keys of that suite that it doesn't set itself, and
    within `training` and `options` likewise.
    """

    default_suite: str
    store: StoreSettings = StoreSettings()
    scoring: ScoringSettings = ScoringSettings()
    data: dict[str, DataSettings] = {}
    llms: dict[str, LLMConfig] = {}
    encoders: dict[str, EncoderConfig] = {}
    methods: dict[str, dict[str, Any]] = {}
    suites: dict[str, Suite]

    @model_validator(mode="before")
    @classmethod
    def _inherited(cls, raw: Any) -> Any:
        suites = raw.get("suites") if isinstance(raw, dict) else None
        if not isinstance(suites, dict):
            return raw
        return {**raw, "suites": {name: _whole_suite(suites, name, ()) for name in suites}}

    def suite(self, name: str | None) -> tuple[str, Suite]:
        """A suite by name (None: the default). Raises ConfigError with the nearest name."""
        name = name or self.default_suite
        return name, _named(self.suites, name, "suite")

    def llm(self, name: str) -> LLMConfig:
        """An LLM by name. Raises ConfigError with the nearest name."""
        return _named(self.llms, name, "LLM")

    def encoder(self, name: str) -> EncoderConfig:
        """An encoder by name. Raises ConfigError with the nearest name."""
        return _named(self.encoders, name, "encoder")

    def source(self, name: str) -> DataSettings:
        """A data source by name. Raises ConfigError with the nearest name."""
        return _named(self.data, name, "data source")

    def variant(self, name: str, task: str | None = None) -> tuple[str, dict[str, Any]]:
        """(registered method, options) of a variant or of a plain method name, for a task."""
        return self._variant(name, task, ())

    def _variant(
        self, name: str, task: str | None, above: tuple[str, ...]
    ) -> tuple[str, dict[str, Any]]:
        table = dict(self.methods.get(name, {}))
        parent = table.pop("method", name)
        if not isinstance(parent, str) or parent in above:
            raise ConfigError(
                f"[methods.{name}] names its method by {parent!r}",
                hint='Name a registered method or another variant, such as method = "bm25"',
            )
        options = for_task(table, task, f"[methods.{name}]")
        if parent == name or parent not in self.methods:
            return parent, options
        method, inherited = self._variant(parent, task, (*above, name))
        return method, merge(inherited, options)


def _whole_suite(suites: dict[str, Any], name: str, below: tuple[str, ...]) -> Any:
    """A suite's table with what it takes over. Raises ValueError: like no other, or in a circle."""
    table = suites[name]
    if not isinstance(table, dict) or "like" not in table:
        return table
    own = dict(table)
    parent = own.pop("like")
    if parent not in suites or parent in (name, *below):
        raise ValueError(f"suite {name!r} is like {parent!r}, which is no other suite")
    inherited = _whole_suite(suites, parent, (name, *below))
    if not isinstance(inherited, dict):
        return inherited
    whole = merge(inherited, own)
    rows, options = whole.get("methods"), whole.get("options")
    if isinstance(rows, list) and isinstance(options, dict):  # else pydantic says what is wrong
        known = {str(row).partition(SEPARATOR)[0] for row in rows} | own.get("options", {}).keys()
        # Without those of methods that only the other suite has.
        whole["options"] = {name: table for name, table in options.items() if name in known}
    return whole


def for_task(options: dict[str, Any], task: str | None, where: str) -> dict[str, Any]:
    """Options with those that their `per_task` holds for a task. Raises ConfigError."""
    table = dict(options)
    per_task = table.pop("per_task", {})
    if not (isinstance(per_task, dict) and all(isinstance(o, dict) for o in per_task.values())):
        raise ConfigError(
            f"{where} per_task is no table of tables",
            hint='Write per_task."LaMP-3" = { … }',
        )
    for name in per_task:
        _named(TASKS.targets, name, f"task in {where} per_task:")
    return merge(table, per_task.get(task, {}))


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over`, table by table."""
    both = {key: value for key, value in over.items() if key not in base}
    for key, value in base.items():
        new = over.get(key, value)
        deeper = isinstance(value, dict) and isinstance(new, dict)
        both[key] = merge(value, new) if deeper else new
    return both


def _named(table: Mapping[str, T], name: str, kind: str) -> T:
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}", hint=did_you_mean(name, list(table)))
    return table[name]


def load_settings(path: Path, overrides: Sequence[str] = (), suite: str | None = None) -> Settings:
    """Read bench.toml, apply `--set key=value` overrides, validate.

    Relative folders are resolved against the file's own folder. An override's key is a dotted path
    ("methods.bm25.k"); one that begins with a suite's field ("seeds") means the suite that runs.

    Raises:
        ConfigError: no such file, not TOML, unknown key, wrong type, malformed override.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no such file",
            file=path,
            hint="Run in the project's folder, or give --config PATH",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"is not readable TOML ({error})", file=path, hint="Correct that line"
        ) from error
    running = suite or raw.get("default_suite")
    for override in overrides:
        _apply(raw, override, str(running))
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise _readable(error, path) from error
    return _absolute(settings, path.resolve().parent)


def _apply(raw: dict[str, Any], override: str, suite: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(
            f"--set {override!r} is not of the form key=value",
            hint="Write it like --set methods.bm25.k=2",
        )
    if parts[0] in Suite.model_fields and (
        len(parts) == 1 or parts[0] not in Settings.model_fields
    ):
        _named(raw.get("suites", {}), suite, "suite")
        parts = ["suites", suite, *parts]
    elif parts[0] not in Settings.model_fields:
        known = [*Settings.model_fields, *Suite.model_fields]
        raise ConfigError(f"--set names an unknown key {key!r}", hint=did_you_mean(parts[0], known))
    table = raw
    for part in parts[:-1]:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {key!r}: {part!r} is not a table", hint="Correct the key")
    try:
        table[parts[-1]] = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        table[parts[-1]] = text.strip()


def _readable(error: ValidationError, path: Path) -> ConfigError:
    """The first fault of a ValidationError, in the user's terms."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    more = f" (and {error.error_count() - 1} more faults)" if error.error_count() > 1 else ""
    if fault["type"] == "extra_forbidden":
        known = _keys_at(Settings, [str(part) for part in fault["loc"][:-1]])
        return ConfigError(
            f"unknown key `{place}`{more}",
            file=path,
            hint=did_you_mean(str(fault["loc"][-1]), known),
        )
    message = fault["msg"].removeprefix("Value error, ")
    return ConfigError(
        f"`{place}`: {message}{more}", file=path, hint="Correct the value in the file or in --set"
    )


def _keys_at(model: type[BaseModel], place: Sequence[str]) -> list[str]:
    """The keys that the table at `place` knows."""
    here: Any = model
    for part in place:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[part].annotation
            if isinstance(here, types.UnionType) or typing.get_origin(here) is typing.Union:
                here = next(a for a in typing.get_args(here) if a is not types.NoneType)
        else:
            here = typing.get_args(here)[1]
    return (
        list(here.model_fields) if isinstance(here, type) and hasattr(here, "model_fields") else []
    )


def _absolute(settings: Settings, folder: Path) -> Settings:
    """The same settings with every relative folder resolved against bench.toml's own."""
    store = settings.store.model_copy(
        update={"runs": folder / settings.store.runs, "cache": folder / settings.store.cache}
    )
    data = {
        name: source.model_copy(update={"root": folder / source.root}) if source.root else source
        for name, source in settings.data.items()
    }
    return settings.model_copy(
        update={
            "store": store,
            "data": data,
            "llms": {name: _with_folder(llm, folder) for name, llm in settings.llms.items()},
            "encoders": {name: _with_folder(e, folder) for name, e in settings.encoders.items()},
        }
    )


def _with_folder(config: M, folder: Path) -> M:
    """`config` with a model folder that lies beside bench.toml made absolute."""
    if config.model and (folder / config.model).is_dir():
        return config.model_copy(update={"model": str((folder / config.model).resolve())})
    return config
