"""A trained plug on disk: weights as safetensors, and beside them what they fit."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file

from methods.cache.tensors import write_tensors
from tasks.common.errors import ModelError
from tasks.common.files import write_json

if TYPE_CHECKING:
    from methods.prefix.method import PrefixMethod

WEIGHTS, ABOUT = "plug.safetensors", "plug.json"


def save_module(folder: Path, method: "PrefixMethod") -> None:
    """Write the trained weights and what they belong to. Raises StorageError on a failed write."""
    state = {name: value.contiguous().cpu() for name, value in method.module.state_dict().items()}
    write_tensors(folder / WEIGHTS, state)
    write_json(folder / ABOUT, about(method))


def about(method: "PrefixMethod") -> dict[str, Any]:
    """What a plug's weights depend on, as JSON: enough to open it again outside the harness."""
    runtime = method.runtime
    return {
        "method": method.name,
        "version": method.version,
        "config": method.config.model_dump(mode="json"),
        "task": method.task.name,
        "max_input_tokens": runtime.max_input_tokens,
        "llm": {
            "name": runtime.llm.name,
            "weights": runtime.llm.weights,
            "hidden_size": runtime.llm.hidden_size,
            "chat_template": runtime.llm.config.chat_template,
        },
        "encoder": {
            "identity": runtime.encoder.identity,
            "config": runtime.encoder.config.model_dump(mode="json"),
        }
        if method.uses_encoder
        else None,
    }


def read_about(folder: Path) -> dict[str, Any]:
    """The plug's description. Raises ModelError where the folder holds none."""
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"holds no readable plug ({error})",
            file=folder,
            hint="Give a folder that a trained method was saved to",
        ) from error
    if not isinstance(found, dict):
        raise ModelError("is no plug's description", file=folder / ABOUT, hint="Train it again")
    return found


def load_module(folder: Path, method: "PrefixMethod") -> None:
    """Read weights into `method.module`.

    Raises ModelError where the plug is another method's, was trained for another LLM or encoder
    (named), or its file is damaged.
    """
    stored, wanted = read_about(folder), about(method)
    for part, label in (
        ("method", "method"),
        ("version", "method version"),
        ("llm", "LLM"),
        ("encoder", "encoder"),
    ):
        if _weights(stored.get(part)) != _weights(wanted[part]):
            raise ModelError(
                f"the plug was trained for the {label} {_name(stored.get(part))}, "
                f"not {_name(wanted[part])}",
                file=folder,
                hint=f"Open it with that {label}, or train a plug for this one",
            )
    try:
        method.module.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"the plug's weights don't fit or are damaged ({error})",
            file=folder / WEIGHTS,
            hint="Train it again",
        ) from error


def _weights(part: Any) -> Any:
    """What decides whether a part is the same: its weights, not what it is called."""
    if isinstance(part, dict):
        template = " with its chat template" if part.get("chat_template") else ""
        return f"{part.get('weights') or part.get('identity')}{template}"
    return part


def _name(part: Any) -> str:
    if isinstance(part, dict):
        name = part.get("name") or part.get("config", {}).get("model")
        return f"{name} ({_weights(part)})"  # two may have one name, and other weights
    return str(part)
