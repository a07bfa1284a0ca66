"""`--set key=value` on the command line."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from bench.settings.schema import Settings, Suite
from bench.settings.tables import Table, look_up
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean

ASSIGNMENT = re.compile(r"""((?:[^="']|"[^"]*"|'[^']*')+)=(.*)""", re.DOTALL)
"""A key, whose quoted parts may hold "=", and a value."""


def apply_overrides(raw: Table, overrides: Sequence[str], suite: str) -> Table:
    """The settings with each override's key set; `suite` is the one that runs.

    A key is a TOML key: dotted, with quotes around a part that itself holds a dot. One that begins
    with a suite's field ("seeds") belongs to the suite that runs. A value is TOML, or plain text.

    Raises ConfigError: malformed override, unknown key, or a part that is not a table.
    """
    for override in overrides:
        key, value = _parse(override)
        parts = _place(raw, key, override, suite)
        raw = _replace(raw, parts, value, override)
    return raw


def _parse(override: str) -> tuple[list[str], Any]:
    """The parts of the key, and the value."""
    malformed = ConfigError(
        f"--set {override!r} is not of the form key=value",
        hint="Write it like --set methods.bm25.k=2; "
        """quote a name that holds a dot: --set 'llms."qwen2.5".batch_size=4'""",
    )
    found = ASSIGNMENT.fullmatch(override)
    if found is None:
        raise malformed
    try:
        table = tomllib.loads(f"{found[1].strip()} = 0")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise malformed from error
    parts: list[str] = []
    here: Any = table
    while isinstance(here, dict) and len(here) == 1:
        part, here = next(iter(here.items()))
        parts.append(part)
    if here != 0 or not all(parts):
        raise malformed
    text = found[2].strip()
    try:
        return parts, tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return parts, text


def _place(raw: Table, key: list[str], override: str, suite: str) -> list[str]:
    """The whole path of a key."""
    first = key[0]
    if first in Suite.model_fields and (len(key) == 1 or first not in Settings.model_fields):
        look_up(raw.get("suites", {}), suite, "suite")
        return ["suites", suite, *key]
    if first not in Settings.model_fields:
        known = [*Settings.model_fields, *Suite.model_fields]
        raise ConfigError(f"--set names an unknown key {first!r}", hint=did_you_mean(first, known))
    names = raw.get(first, {})
    if len(key) > 2 and isinstance(names, dict) and key[1] not in names:
        for name in names:
            if name.startswith(f"{key[1]}."):
                raise ConfigError(
                    f"--set {override!r} takes the dots of {name!r} for separators",
                    hint=f"""Quote the name: --set '{first}."{name}".KEY=VALUE'""",
                )
    return key


def _replace(table: Table, parts: list[str], value: Any, override: str) -> Table:
    """A copy of `table` with the value at a path; tables on the way are made where missing."""
    part, *rest = parts
    if not rest:
        return {**table, part: value}
    below = table.get(part, {})
    if not isinstance(below, dict):
        raise ConfigError(f"--set {override!r}: {part!r} is not a table", hint="Correct the key")
    return {**table, part: _replace(below, rest, value, override)}
