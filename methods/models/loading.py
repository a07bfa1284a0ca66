"""Find, check and identify a model's files. Imports no torch."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.common.errors import ModelError
from tasks.common.files import content_key, sha256_of, write_text

COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
PACKAGE = "package:"
TEXT_FILES = ("*.json", "*.txt", "*.model", "*.jinja")
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "vocab.json", "vocab.txt",
)  # fmt: skip
LARGE = 1 << 20  # bytes; digests of larger files are stored


def resolve(model: str, revision: str | None) -> Path:
    """The folder that holds a model's files.

    Args:
        model: a local folder; a hub name such as "google/flan-t5-xl"; or "package:module/subfolder"
            for weights inside an installed Python package, which is found but not imported.
        revision: the commit of a hub name, all 40 hex digits; None for the other two.

    Raises:
        ModelError: no such folder or package; a hub name without a commit; or a commit that is not
            in the local cache and can't be fetched.
    """
    if revision is None and model.startswith(PACKAGE):
        return _package_folder(model)
    if revision is not None:
        return _hub_folder(model, _commit(model, revision))
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    raise ModelError(
        "is not a folder, and a hub name needs a pinned revision",
        file=model,
        hint="Correct the folder, or set `revision` to the hub commit's 40 hex digits, which the "
        "model's page on the hub shows",
    )


def source_identity(model: str, revision: str | None, cache: Path) -> str:
    """Identifies a model's files: the commit of a hub name, else a digest of the content.

    Uses no network. Raises ModelError as `resolve` does for folders and packages.
    """
    if revision is not None:
        return f"{model}@{_commit(model, revision)}"
    return folder_identity(resolve(model, None), cache)


def folder_identity(folder: Path, cache: Path) -> str:
    """SHA-256 over the weights, tokenizer and config files of `folder`, in hex.

    Older .bin weights count only without safetensors, because only then are they read. Digests of
    large files are stored in `cache`/digests by path, size and modification time.
    """
    files = {
        str(path.relative_to(folder)): _digest(path, cache)
        for path in [*_matching(folder, TEXT_FILES), *weight_files(folder)]
    }
    return content_key(files, length=64)


def weight_files(folder: Path) -> list[Path]:
    """The weight files to load: safetensors, else the older .bin; may be empty."""
    return list(_matching(folder, ("*.safetensors",))) or [
        path for path in _matching(folder, ("*.bin",)) if path.name != "training_args.bin"
    ]


def check_folder(folder: Path) -> list[Path]:
    """The weight files of a model folder, after checking that it has everything to be loaded.

    Raises:
        ModelError: config, tokenizer, weights or a shard are missing, or a safetensors file is
            truncated or broken.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(
            "has no config.json",
            file=folder,
            hint="Set `model` to a folder written by `save_pretrained`",
        )
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            "has no tokenizer",
            file=folder,
            hint="Put the model's tokenizer.json and tokenizer_config.json next to its weights",
        )
    weights = weight_files(folder)
    if not weights:
        raise ModelError(
            "has no weights",
            file=folder,
            hint="Put model.safetensors (or its shards with their index) into the folder",
        )
    _check_shards(folder)
    for path in weights:
        if path.suffix == ".safetensors":
            _check_safetensors(path)
    return weights


def _check_shards(folder: Path) -> None:
    for index in folder.glob("*.safetensors.index.json"):
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError) as error:
            raise ModelError(
                f"is not an index of shards ({error})", file=index, hint="Fetch the file again"
            ) from error
        missing = sorted(name for name in shards if not (folder / name).is_file())
        if missing:
            raise ModelError(
                f"refers to missing shards: {', '.join(missing)}",
                file=index,
                hint="Fetch the missing files into the folder",
            )


def _check_safetensors(path: Path) -> None:
    """Read only the header, which states the file's size."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"is broken or incomplete ({error})", file=path, hint="Fetch or save the file again"
        ) from error


def _package_folder(model: str) -> Path:
    module, _, subfolder = model.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"Python package {module!r} is not installed",
            file=model,
            hint=f"Install the package that provides {module!r} (the extra `offline` includes the "
            "default encoder), or name a folder",
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / subfolder
    if not folder.is_dir():
        raise ModelError(
            f"package {module!r} has no folder {subfolder!r}",
            file=model,
            hint="Correct the part after the slash",
        )
    return folder


def _commit(model: str, revision: str) -> str:
    if not HUB_NAME.fullmatch(model):
        raise ModelError(
            "has a `revision` but is not a hub name",
            file=model,
            hint='Write a hub name as "owner/name", or remove `revision` for a folder or package',
        )
    if not COMMIT.fullmatch(revision):
        raise ModelError(
            f"revision {revision!r} is not pinned: a branch or tag can move",
            file=model,
            hint="Set it to the commit's 40 hex digits, which the model's page on the hub shows",
        )
    return revision


def _hub_folder(model: str, commit: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    skipped = ["onnx/*", "openvino/*", "original/*"]

    def fetch(*patterns: str) -> Path:
        return Path(
            snapshot_download(
                model, revision=commit, allow_patterns=list(patterns), ignore_patterns=skipped
            )
        )

    try:
        folder = fetch(*TEXT_FILES, "*.safetensors")
        return folder if weight_files(folder) else fetch(*TEXT_FILES, "*.bin")
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"commit {commit} is not in the local hub cache, and the hub can't be reached",
            file=model,
            hint="Go online (and unset HF_HUB_OFFLINE) once to fetch it, or name a local folder",
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"commit {commit} can't be fetched from the hub ({error})",
            file=model,
            hint="Check name, commit and access rights (HF_TOKEN for gated models)",
        ) from error


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Files of the folder and one level below (sentence-transformers' modules), sorted."""
    found = {
        path
        for pattern in patterns
        for depth in ("", "*/")
        for path in folder.glob(depth + pattern)
    }
    return iter(sorted(path for path in found if path.is_file()))


def _digest(path: Path, cache: Path) -> str:
    state = path.stat()
    if state.st_size < LARGE:
        return sha256_of(path)
    key = content_key([str(path.resolve()), state.st_size, state.st_mtime_ns])
    known = cache / "digests" / key
    if not known.is_file():
        write_text(known, sha256_of(path))
    return known.read_text(encoding="utf-8")
