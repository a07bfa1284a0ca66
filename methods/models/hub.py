"""Models on the Hugging Face hub: their commits and files. Imports no torch."""

import json
import re
import warnings
from pathlib import Path
from typing import Any

from methods.models.content import TEXT_FILES, weight_files
from tasks.common.errors import ModelError
from tasks.common.files import content_key
from tasks.common.sealed import unseal, write_sealed

COMMIT = re.compile(r"[0-9a-f]{40}")
PART = r"[A-Za-z0-9][\w.-]*"
HUB_NAME = re.compile(rf"{PART}(/{PART})?")
HUB_FILE = re.compile(rf"({PART}/{PART})/(.+\.gguf)")
SKIPPED = ["onnx/*", "openvino/*", "original/*"]


def split_name(model: str) -> tuple[str, str | None] | None:
    """A hub name's repository, and the GGUF file in it if it names one; None for other names."""
    if HUB_NAME.fullmatch(model):
        return model, None
    found = HUB_FILE.fullmatch(model)
    return None if found is None else (found[1], found[2])


def require_name(model: str) -> tuple[str, str | None]:
    """As `split_name`. Raises ModelError where `model` is no hub name."""
    parts = split_name(model)
    if parts is None:
        raise ModelError(
            "has a `revision` but is not a hub name",
            file=model,
            hint='Write a hub name as "owner/name", or remove `revision` for a folder or package',
        )
    return parts


def find_commit(model: str, revision: str | None, cache: Path | None) -> str:
    """The commit, 40 hex digits, that `revision` of a hub name stands for.

    A full commit stands for itself, and the hub isn't asked. A tag, a branch or None (the default
    branch) is looked up once: the hub is asked, or where it can't be reached, the local hub cache.
    The answer is stored in `cache`/hub, so that later runs and other processes use the same
    weights, and a warning shows the line that pins it.

    Raises:
        ModelError: no such model or revision, no access, or neither the hub nor the local hub
            cache can say.
    """
    if revision is not None and COMMIT.fullmatch(revision):
        return revision
    repository, _ = require_name(model)
    stored = None
    if cache is not None:
        stored = cache / "hub" / f"{content_key([repository, revision])}.json"
        known = _read_commit(stored)
        if known is not None:
            return known
    commit = _look_up(repository, revision)
    if stored is not None:
        write_sealed(stored, {"model": repository, "revision": revision, "commit": commit})
    given = f"revision {revision!r} can move" if revision else "no revision is set"
    warnings.warn(
        f'{model}: {given}; using its commit of now. To pin it, set revision = "{commit}"',
        stacklevel=2,
    )
    return commit


def fetch(model: str, commit: str) -> Path:
    """The local folder with a hub model's files, or the GGUF file that the name ends in.

    Files that the local hub cache lacks are downloaded.

    Raises:
        ModelError: they are not in the local hub cache and can't be downloaded.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, file = require_name(model)

    def download(*patterns: str) -> Path:
        return Path(
            snapshot_download(
                repository, revision=commit, allow_patterns=list(patterns), ignore_patterns=SKIPPED
            )
        )

    try:
        if file is not None:
            return _require_file(download(file) / file, model)
        folder = download(*TEXT_FILES, "*.safetensors")
        return folder if weight_files(folder) else download(*TEXT_FILES, "*.bin")
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


def _require_file(path: Path, model: str) -> Path:
    if not path.is_file():
        raise ModelError(
            f"the hub's folder has no file {path.name!r}",
            file=model,
            hint="Correct the file's name, which the model's page on the hub shows under Files",
        )
    return path


def _look_up(repository: str, revision: str | None) -> str:
    from huggingface_hub import HfApi, errors

    unreachable: tuple[Any, ...] = (errors.HfHubHTTPError.__mro__[1], OSError)  # httpx's, any
    try:
        commit = HfApi().model_info(repository, revision=revision, timeout=30).sha
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        wanted = f" with revision {revision!r}" if revision else ""
        raise ModelError(
            f"is neither a folder here nor a model on the hub{wanted} that you may read",
            file=repository,
            hint="Correct the folder or the hub name (HF_TOKEN gives access to gated models)",
        ) from error
    except unreachable as error:
        commit = _cached_ref(repository, revision or "main")
        if commit is None:
            raise ModelError(
                "is not a folder here, the hub can't be reached, and the local hub cache doesn't "
                f"know {repr(revision) if revision else 'its default branch'}",
                file=repository,
                hint="Correct the folder; or for a hub name, go online (and unset HF_HUB_OFFLINE) "
                "once, or set `revision` to a commit that the local hub cache holds",
            ) from error
    if commit is None or not COMMIT.fullmatch(commit):
        raise ModelError(
            f"the hub gives no commit for {revision or 'its default branch'!r} ({commit!r})",
            file=repository,
            hint="Set `revision` to the commit's 40 hex digits",
        )
    return commit


def _cached_ref(repository: str, revision: str) -> str | None:
    """What the local hub cache took `revision` for when it last fetched it."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=repository, repo_type="model")
    folder = Path(constants.HF_HUB_CACHE) / name
    ref = folder / "refs" / revision
    if not ref.is_file():
        return None
    commit = ref.read_text(encoding="utf-8", errors="replace").strip()
    return commit if (folder / "snapshots" / commit).is_dir() else None


def _read_commit(file: Path) -> str | None:
    """The commit stored in `file`; None if there is none, or the file is damaged."""
    try:
        data, sound = unseal(file.read_bytes())
        commit = json.loads(data)["commit"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if sound is False:
        return None
    return commit if isinstance(commit, str) and COMMIT.fullmatch(commit) else None
