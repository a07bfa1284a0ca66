"""Shipped settings, then bench.toml, then `--set`: read, merged, validated."""

import tomllib
import types
import typing
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bench.settings.overrides import apply_overrides
from bench.settings.schema import DEFAULT_SUITE, ScoringSettings, Settings
from bench.settings.tables import Table, expand_trainings, extend, look_up, merge
from methods.models.config import EncoderConfig, LLMConfig
from tasks.common.errors import ConfigError
from tasks.common.paths import expand_home, require_file
from tasks.common.registry import did_you_mean
from tasks.scoring import find_script

M = TypeVar("M", LLMConfig, EncoderConfig)

CONFIG = Path("bench.toml")
"""Read where no other file is named, if it is there."""
BENCH = Path(__file__).parents[1]
SHIPPED = ("defaults", "suites")
"""Folders of bench/ whose *.toml files hold the shipped settings."""


def load_settings(
    path: Path | None = None, overrides: Sequence[str] = (), suite: str | None = None
) -> Settings:
    """Read the shipped settings and the user's, apply `--set key=value` overrides, validate.

    Relative folders start at the file's own folder, or here where there is no file.

    Args:
        path: the user's file; None: bench.toml of the current folder, if there is one.
        overrides: see `apply_overrides`.
        suite: the suite that runs; None: the default one.

    Raises:
        ConfigError: no such file, not TOML, unknown key, wrong type, malformed override.
    """
    own = {} if path is None and not CONFIG.exists() else read_toml(path or CONFIG)
    file = path or CONFIG
    raw = expand_trainings(extend(shipped_settings(), own))
    raw = apply_overrides(raw, overrides, suite or str(raw.get("default_suite", DEFAULT_SUITE)))
    try:
        settings = Settings.model_validate(expand_trainings(raw))
    except ValidationError as error:
        raise _describe(error, file) from error
    return _resolve_folders(settings, file.resolve().parent)


def shipped_settings() -> Table:
    """Everything that the package brings: data sources, models, method variants, suites."""
    files = [file for folder in SHIPPED for file in sorted((BENCH / folder).glob("*.toml"))]
    return reduce(merge, reversed([read_toml(file) for file in files]), {})


def load_shipped() -> Settings:
    """The settings of a user who has none."""
    return Settings.model_validate(expand_trainings(shipped_settings()))


def read_toml(path: Path) -> Table:
    """A TOML file, with or without a byte order mark. Raises ConfigError."""
    path = expand_home(path)
    require_file(path, ConfigError, "Name a TOML file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no such file", file=path, hint="Give --config PATH, or write one: bench init"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise ConfigError(
            f"is not readable TOML ({error})", file=path, hint="Correct that line"
        ) from error


def _describe(error: ValidationError, path: Path) -> ConfigError:
    """The first fault of a ValidationError, in the user's terms."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"] if part != "[key]")
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
    """The keys that the table at `place` may have."""
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


def _resolve_folders(settings: Settings, folder: Path) -> Settings:
    """The same settings with every relative folder resolved against `folder`."""
    store = settings.store.model_copy(
        update={
            name: folder / expand_home(getattr(settings.store, name)) for name in ("runs", "cache")
        }
    )
    data = {
        name: source.model_copy(update={"root": folder / expand_home(source.root)})
        if source.root
        else source
        for name, source in settings.data.items()
    }
    tasks = {
        name: task.model_copy(update={"file": folder / expand_home(task.file)})
        for name, task in settings.tasks.items()
    }
    encoders = {name: _resolve_model(e, folder) for name, e in settings.encoders.items()}
    scoring = _resolve_encoders(_resolve_modules(settings.scoring, folder), encoders)
    return settings.model_copy(
        update={
            "store": store,
            "data": data,
            "tasks": tasks,
            "scoring": scoring,
            "llms": {name: _resolve_model(llm, folder) for name, llm in settings.llms.items()},
            "encoders": encoders,
        }
    )


def _resolve_encoders(
    scoring: ScoringSettings, encoders: dict[str, EncoderConfig]
) -> ScoringSettings:
    """`scoring` with the encoders that its metrics name. Raises ConfigError for unknown ones."""
    found = {
        name: table.model_copy(
            update={
                "encoder": look_up(encoders, table.encoder, "encoder"),
                "config": table.config or table.encoder,
            }
        )
        for name, table in scoring.evaluate.items()
        if isinstance(table.encoder, str)
    }
    return scoring.model_copy(update={"evaluate": {**scoring.evaluate, **found}})


def _resolve_modules(scoring: ScoringSettings, folder: Path) -> ScoringSettings:
    """`scoring` with every module of `evaluate` that lies below `folder` named by its script."""
    found = {
        name: table.model_copy(update={"module": str(script)})
        for name, table in scoring.evaluate.items()
        if (script := find_script(str(folder / Path(table.module or name).expanduser())))
    }
    return scoring.model_copy(update={"evaluate": {**scoring.evaluate, **found}})


def _resolve_model(config: M, folder: Path) -> M:
    """`config` with a model folder or file that lies below `folder` made absolute."""
    if isinstance(config, LLMConfig) and config.endpoint is not None:
        return config if config.served is None else _resolve_served(config, folder)
    if config.model and config.model.startswith("~"):
        config = config.model_copy(update={"model": str(expand_home(Path(config.model)))})
    if config.model and (folder / config.model).exists():
        return config.model_copy(update={"model": str((folder / config.model).resolve())})
    return config


def _resolve_served(config: LLMConfig, folder: Path) -> LLMConfig:
    """A served LLM's `model` is a name; its tokenizer and weights may be folders."""
    served = config.served_options
    found = {
        key: str((folder / expand_home(Path(source))).resolve())
        for key in ("tokenizer", "weights")
        if (source := getattr(served, key)) and (folder / expand_home(Path(source))).is_dir()
    }
    return config.model_copy(update={"served": served.model_copy(update=found)})
