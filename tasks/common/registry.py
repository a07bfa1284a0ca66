"""Names → classes, found without importing them.

Every class in a package's modules that carries `name = "..."` (a string literal) in its body is
registered under that name; so is every entry point of the given group. Sources are parsed, not
imported: listing names is fast and loads neither torch nor a broken plug-in.
"""

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from tasks.common.errors import ConfigError

T = TypeVar("T")
LISTED = 50
"""Most names that an error lists."""


def did_you_mean(name: str, known: list[str]) -> str:
    """Advice for a mistyped name: the nearest known one, or all of them (the first 50 of many)."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}"
    more = f", … ({len(known)} in all)" if len(known) > LISTED else ""
    return f"Known: {', '.join(sorted(known)[:LISTED]) or 'none'}{more}"


class Registry(Generic[T]):
    """The classes of one kind.

    Args:
        kind: what a class is called in messages, e.g. "method".
        base: the class that every registered one must be a subclass of.
        package: the package whose top-level modules are searched.
        group: the entry-point group for classes in other distributions.
    """

    def __init__(self, kind: str, base: type[T], package: str, group: str) -> None:
        self.kind, self.base, self.package, self.group = kind, base, package, group

    @cached_property
    def targets(self) -> MappingProxyType[str, str]:
        """name → "module:Class", frozen.

        Raises ConfigError where two classes claim one name, or a module is not readable Python.
        """
        found: dict[str, str] = {}
        plugins = [(point.name, point.value) for point in entry_points(group=self.group)]
        for name, target in [*self._in_package(), *plugins]:
            if found.setdefault(name, target) != target:
                raise ConfigError(
                    f"two {self.kind}s are called {name!r}: {found[name]} and {target}",
                    hint="Rename one of them",
                )
        return MappingProxyType(dict(sorted(found.items())))

    def _in_package(self) -> Iterator[tuple[str, str]]:
        spec = importlib.util.find_spec(self.package)
        folders = list(spec.submodule_search_locations or []) if spec else []
        for path in sorted(path for folder in folders for path in Path(folder).glob("*.py")):
            for node in _parsed(path).body:
                if isinstance(node, ast.ClassDef) and (name := _name_of(node)) is not None:
                    yield name, f"{self.package}.{path.stem}:{node.name}"

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return list(self.targets)

    def get(self, name: str) -> type[T]:
        """The class called `name`; a "module:Class" target is taken too, for code outside.

        Raises:
            ConfigError: unknown name (with the nearest known one), or a target of another class.
        """
        target = name if ":" in name else self.targets.get(name)
        if target is None:
            raise ConfigError(
                f"unknown {self.kind} {name!r}", hint=did_you_mean(name, self.names())
            )
        module_name, _, attribute = target.partition(":")
        try:
            found: Any = getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{self.kind} {name!r} can't be loaded from {target} ({error})",
                hint="Install the package that holds it, or correct the target",
            ) from error
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ConfigError(
                f"{target} is not a {self.base.__name__}",
                hint=f"Make it a subclass of {self.base.__module__}.{self.base.__name__}",
            )
        return found


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(
            f"is not readable Python ({error})", file=path, hint="Correct it, or move it away"
        ) from error


def _name_of(node: ast.ClassDef) -> str | None:
    """The literal assigned to `name` in a class body, or None."""
    for statement in node.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        named = any(isinstance(target, ast.Name) and target.id == "name" for target in targets)
        if named and isinstance(statement.value, ast.Constant):  # type: ignore[attr-defined]
            value = statement.value.value  # type: ignore[attr-defined]
            return value if isinstance(value, str) else None
    return None
