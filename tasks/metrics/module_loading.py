"""Loads modules of Hugging Face's `evaluate`, from a folder or from the Hub."""

import hashlib
import inspect
import json
import re
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks.common.errors import ConfigError
from tasks.scoring import EvaluateModule, find_script

CLASS = re.compile(r"\w+(\.\w+)*:\w+")
"""How an importable class is named."""


def load_module(declared: EvaluateModule) -> Any:
    """The `evaluate.EvaluationModule` that is declared. Its source code runs.

    Raises ConfigError if there is no such module, or if its code fails.
    """
    import evaluate

    module = declared.module
    if isinstance(module, evaluate.EvaluationModule):
        return _seed(module)
    if not isinstance(module, str):
        raise ConfigError(
            f"metric {declared.metric!r}: {module!r} is no module of evaluate",
            hint="Give a path, a name on the Hub, or an evaluate.EvaluationModule",
        )
    script = find_script(module)
    if script is not None:
        return _seed(_load(declared, str(script), None))
    if CLASS.fullmatch(module):
        encoder = None if declared.encoder is None else json.dumps(dict(declared.encoder))
        return _seed(_make(declared.metric, module, declared.config, encoder))
    if _is_path(module):
        raise ConfigError(
            f"metric {declared.metric!r}: there is no module of evaluate at this path",
            file=module,
            hint="Name a Python file, or a folder NAME that holds NAME.py; a relative path starts "
            "at the folder of bench.toml",
        )
    return _seed(_load_from_hub(declared.name, module, declared.config, declared.revision))


@lru_cache(maxsize=32)  # an encoder is opened once
def _make(metric: str, module: str, config: str | None, encoder: str | None) -> Any:
    """An instance of an importable class. Raises ConfigError if there is none."""
    import evaluate

    file, _, name = module.partition(":")
    try:
        found = getattr(import_module(file), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"metric {metric!r}: {module} can't be imported ({error})",
            hint='Correct `module`: "package.file:Class", importable from here',
        ) from error
    if not (isinstance(found, type) and issubclass(found, evaluate.EvaluationModule)):
        raise ConfigError(
            f"metric {metric!r}: {module} is no module of evaluate",
            hint="Name a class that extends evaluate.Metric",
        )
    more = {} if encoder is None else {"encoder": json.loads(encoder)}
    try:
        return found(config_name=config, **more)
    except TypeError as error:
        raise ConfigError(
            f"metric {metric!r}: {module} can't be made ({error})",
            hint="Give `encoder` if and only if the class takes one",
        ) from error


def identify(module: Any) -> tuple[str, str]:
    """(hash of the module's source, version of evaluate).

    The hash is evaluate's own; for a module that it did not load, of the source of its class, or
    "" where that is not known.
    """
    sha256 = module._hash
    if not sha256:
        try:
            sha256 = hashlib.sha256(inspect.getsource(type(module)).encode()).hexdigest()
        except (OSError, TypeError):
            sha256 = ""
    return sha256, version("evaluate")


def _is_path(module: str) -> bool:
    return module.startswith((".", "/", "~")) or module.endswith(".py") or module.count("/") > 1


@lru_cache(maxsize=32)  # the Hub is asked once
def _load_from_hub(name: str, module: str, config: str | None, revision: str | None) -> Any:
    return _load(
        EvaluateModule(name, module, higher_is_better=True, config=config), module, revision
    )


def _load(declared: EvaluateModule, path: str, revision: str | None) -> Any:
    import evaluate

    try:
        return evaluate.load(path, declared.config, revision=revision, keep_in_memory=True)
    except PermissionError as error:
        raise ConfigError(
            f"metric {declared.metric!r}: evaluate can't write its copy of the module ({error})",
            hint="Set the environment variable HF_HOME to a writable folder",
        ) from error
    except Exception as error:
        local = path != declared.module or Path(path).is_file()
        raise ConfigError(
            f"metric {declared.metric!r}: evaluate can't load {path} "
            f"({type(error).__name__}: {error})",
            hint="Correct the file; evaluate wants each import on a line of its own"
            if local
            else "Correct the name; without a network, give the path of a local copy of the module",
        ) from error


def _seed(module: Any) -> Any:
    """The same module, whose random choices are the same whenever it is asked."""
    module.seed = 0
    return module
