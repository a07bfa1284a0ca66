"""Tables of bench.toml before validation: merging, `like`, named trainings, `per_task`."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean

T = TypeVar("T")
Table = dict[str, Any]

DEFINITIONS: dict[str, tuple[set[str], ...]] = {
    "data": ({"root"}, {"sample"}, {"mini"}),
    "tasks": ({"file"},),
    "llms": ({"model"}, {"scratch"}),
    "encoders": ({"model"},),
    "methods": ({"method"},),
    "suites": ({"like"}, {"data", "tasks", "methods"}),
}
"""Section → the sets of keys each of which makes a table a definition of its own."""


def look_up(table: Mapping[str, T], name: str, kind: str) -> T:
    """`table[name]`. Raises ConfigError with the nearest name."""
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}", hint=did_you_mean(name, list(table)))
    return table[name]


def merge(base: Table, over: Table) -> Table:
    """`base` with the keys of `over`, table by table; keys that only `over` has come first."""
    both = {key: value for key, value in over.items() if key not in base}
    for key, value in base.items():
        new: Any = over.get(key, value)
        deeper = isinstance(value, dict) and isinstance(new, dict)
        both[key] = merge(value, new) if deeper else new
    return both


def extend(shipped: Table, own: Table) -> Table:
    """The shipped settings with the user's: definitions replace, other tables are merged."""
    kept = dict(shipped)
    for section, definitions in DEFINITIONS.items():
        tables = own.get(section)
        if isinstance(tables, dict):
            replaced = {
                name
                for name, table in tables.items()
                if isinstance(table, dict) and any(keys <= table.keys() for keys in definitions)
            }
            known = shipped.get(section, {})
            kept[section] = {n: t for n, t in known.items() if n not in replaced}
    return merge(kept, own)


def expand_trainings(raw: Table) -> Table:
    """Put each [trainings.NAME] in place of every `training = "NAME"` of methods and suites.

    Raises ConfigError for an unknown name.
    """
    trainings = raw.get("trainings", {})

    def expand(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: expand(inner, name) for name, inner in value.items()}
        if key == "training" and isinstance(value, str):
            return look_up(trainings, value, "training")
        return value

    sections = ("methods", "suites")
    return {**raw, **{name: expand(raw[name], name) for name in sections if name in raw}}


def inherit(suites: Table, name: str, below: tuple[str, ...] = ()) -> Any:
    """A suite's table merged over the suite that it is `like`, without that suite's `about`.

    Raises ValueError: `like` names no other suite, or a circle.
    """
    table = suites[name]
    if not isinstance(table, dict) or "like" not in table:
        return table
    own = dict(table)
    parent = own.pop("like")
    if parent == name:
        raise ValueError(
            f"suite {name!r} is like itself; leave out `like` to change keys of a shipped suite"
        )
    if parent not in suites or parent in below:
        raise ValueError(f"suite {name!r} is like {parent!r}, which is no other suite")
    inherited: Any = inherit(suites, parent, (name, *below))
    if not isinstance(inherited, dict):
        return inherited
    return merge({key: value for key, value in inherited.items() if key != "about"}, own)


def select_task(options: Table, task: str | None, where: str, known: Collection[str]) -> Table:
    """Options with those of a task's `per_task` table merged in; `known` are all tasks' names.

    Raises ConfigError for an unknown task, or for `per_task` of another form.
    """
    table = dict(options)
    per_task = table.pop("per_task", {})
    if not (isinstance(per_task, dict) and all(isinstance(o, dict) for o in per_task.values())):
        raise ConfigError(
            f"{where} per_task is not a table of tables",
            hint='Write per_task."LaMP-3" = { … }',
        )
    for name in per_task:
        look_up(dict.fromkeys(known), name, f"task in {where} per_task:")
    return merge(table, per_task.get(task, {}))
