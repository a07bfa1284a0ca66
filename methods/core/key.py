"""What a method's results depend on, as an object with named parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.common.files import content_key


@dataclass(frozen=True, eq=False)
class MethodKey:
    """What a method's predictions, or what it learns, depend on besides data and models.

    Two methods with equal keys give equal results on equal data and models.

    Attributes:
        method: registered name.
        version: the method's own; a bump makes earlier results incomparable.
        options: the options that matter, as JSON (`FrozenConfig.key_options`).
        parts: role -> key of the methods it is built from (a text side, a pool's members, the
            method under a control). Their order counts.
    """

    method: str
    version: int
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, "MethodKey"] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MethodKey) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(content_key(self.to_json()))

    def to_json(self) -> dict[str, Any]:
        """The key as JSON, for hashing and for a cell's record."""
        return {
            "method": self.method,
            "version": self.version,
            "options": dict(self.options),
            "parts": [{"role": role, **part.to_json()} for role, part in self.parts.items()],
        }
