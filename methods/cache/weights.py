"""A trained module on disk: its weights, their digest, and what they fit.

Every trained part of the package is kept this way: `<kind>.safetensors` holds the module's state,
`<kind>.json` what it was trained for. Only adapters differ, since peft has to read them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from methods.cache.tensors import digest, write_tensors
from tasks.common.errors import ModelError
from tasks.common.files import write_json

Fits = Mapping[str, Any]
"""Label -> what the weights were trained for: a value, or {"name", "identity"}, of which the
identity decides and the name is shown in messages."""


def save_module(
    folder: Path,
    kind: str,
    module: nn.Module,
    fits: Fits,
    description: Mapping[str, Any] | None = None,
) -> None:
    """Write a module's state and what it fits.

    Args:
        kind: what the module is called in file names and messages, such as "plug".
        description: further JSON for readers of `<kind>.json`; `load_module` ignores it.

    Raises:
        StorageError: a file can't be written.
    """
    state = {name: value.contiguous().cpu() for name, value in module.state_dict().items()}
    write_tensors(folder / f"{kind}.safetensors", state)
    about = {**(description or {}), "trained_for": dict(fits), "sha256": digest(state)}
    write_json(folder / f"{kind}.json", about)


def read_description(folder: Path, kind: str) -> dict[str, Any]:
    """`<kind>.json`. Raises ModelError if the folder holds none, or a damaged one."""
    file = folder / f"{kind}.json"
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"holds no readable {kind} ({error})",
            file=folder,
            hint=f"Give a folder that a trained {kind} was saved to",
        ) from error
    if not isinstance(about, dict) or not isinstance(about.get("trained_for"), dict):
        raise ModelError(f"is not the description of a {kind}", file=file, hint="Train it again")
    return about


def load_module(folder: Path, kind: str, module: nn.Module, fits: Fits) -> None:
    """Read what `save_module` wrote; `module` is changed only if all of it fits.

    Raises:
        ModelError: none there, damaged, of another shape, or trained for something else (named).
    """
    about = read_description(folder, kind)
    for label, wanted in fits.items():
        found = about["trained_for"].get(label)
        if _identity(found) != _identity(wanted):
            raise ModelError(
                f"the {kind} was trained for the {label} {_name(found)}, not {_name(wanted)}",
                file=folder,
                hint=f"Open it with that {label}, or train a {kind} for this one",
            )
    file = folder / f"{kind}.safetensors"
    try:
        state = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the {kind}'s weights are missing or damaged ({error})",
            file=file,
            hint="Train it again",
        ) from error
    own = {name: (value.shape, value.dtype) for name, value in module.state_dict().items()}
    if {name: (value.shape, value.dtype) for name, value in state.items()} != own:
        raise ModelError(
            f"the {kind}'s weights don't fit the module: other names, shapes or types",
            file=file,
            hint="Train it again",
        )
    if digest(state) != about.get("sha256"):
        raise ModelError(
            f"the {kind}'s weights are damaged: their digest differs from the one recorded",
            file=file,
            hint="Train it again",
        )
    module.load_state_dict(state)


def _identity(part: Any) -> Any:
    return part.get("identity") if isinstance(part, dict) else part


def _name(part: Any) -> str:
    return f"{part.get('name')} ({part.get('identity')})" if isinstance(part, dict) else str(part)
