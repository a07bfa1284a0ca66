"""Finds classes by name without importing them.

A class in a package's top-level modules is registered under the string literal that its body
assigns to `name`; entry points of the given group are registered too. Sources are parsed, not
imported, so listing names is fast and loads neither torch nor a broken plug-in.
"""

import ast
import importlib
import importlib.util
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from tasks.common.errors import ConfigError

T = TypeVar("T")
MAX_LISTED = 50
"""Number of names that an error message lists at most."""


def did_you_mean(name: str, known: list[str]) -> str:
    """A hint for a mistyped name: the closest known name, or else the known names (at most 50)."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    more = f", … ({len(known)} in total)" if len(known) > MAX_LISTED else ""
    return f"Known: {', '.join(sorted(known)[:MAX_LISTED]) or 'none'}{more}"


class Registry(Generic[T]):
    """The classes of one kind.

    Args:
        kind: the word for a class in messages, e.g. "method".
        base: the class that every registered class must extend.
        package: the package whose top-level modules are scanned.
        group: the entry-point group for classes of other distributions.
        check: raises ConfigError for a class that is not defined as it must be.
    """

    def __init__(
        self,
        kind: str,
        base: type[Any],
        package: str,
        group: str,
        check: Callable[[type[Any]], None] = lambda _: None,
    ) -> None:
        self.kind, self.base, self.package, self.group = kind, base, package, group
        self.check = check

    @cached_property
    def targets(self) -> MappingProxyType[str, str]:
        """Name → "module:Class", read-only and sorted by name.

        Raises:
            ConfigError: two classes claim the same name, or a module can't be parsed.
        """
        from importlib.metadata import entry_points  # slow, and not needed for `bench --help`

        found: dict[str, str] = {}
        plugins = [(point.name, point.value) for point in entry_points(group=self.group)]
        for name, target in [*self._scan_package(), *plugins]:
            if found.setdefault(name, target) != target:
                raise ConfigError(
                    f"two {self.kind}s are called {name!r}: {found[name]} and {target}",
                    hint="Rename one of them, or uninstall the plug-in that is not needed",
                )
        return MappingProxyType(dict(sorted(found.items())))

    def _scan_package(self) -> Iterator[tuple[str, str]]:
        spec = importlib.util.find_spec(self.package)
        folders = list(spec.submodule_search_locations or []) if spec else []
        for path in sorted(path for folder in folders for path in Path(folder).glob("*.py")):
            for node in _parse(path).body:
                if isinstance(node, ast.ClassDef) and (name := _read_name(node)) is not None:
                    yield name, f"{self.package}.{path.stem}:{node.name}"

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return list(self.targets)

    def get(self, name: str) -> type[T]:
        """The class called `name`; also accepts "module:Class", for code outside the package.

        Raises:
            ConfigError: the name is unknown, its target can't be imported, doesn't extend `base`
                or isn't defined as `check` demands.
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
                hint="Install the package that provides it, or correct the target",
            ) from error
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ConfigError(
                f"{target} is not a {self.base.__name__}",
                hint=f"Make it extend {self.base.__module__}.{self.base.__name__}",
            )
        self.check(found)
        return found


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(
            f"can't be parsed as Python ({error})",
            file=path,
            hint="Fix the file, or move it elsewhere",
        ) from error


def _read_name(node: ast.ClassDef) -> str | None:
    """The string literal assigned to `name` in a class body, or None."""
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
