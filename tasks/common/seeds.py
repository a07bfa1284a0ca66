"""Seeds derived from named axes, so that no random choice depends on what ran before."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seeds:
    """A tree of seeds: each path of named axes gives an independent seed.

    >>> Seeds.root("LaMP-2", "random", 0).seed("shuffle", "110") == \\
    ...     Seeds.root("LaMP-2", "random", 0).seed("shuffle", "110")
    True
    """

    axes: tuple[str, ...]

    @classmethod
    def root(cls, *axes: object) -> "Seeds":
        """The seeds below these axes, e.g. task, method and the user's seed."""
        return cls(tuple(str(axis) for axis in axes))

    def child(self, *axes: object) -> "Seeds":
        """The seeds below further axes."""
        return Seeds(self.axes + tuple(str(axis) for axis in axes))

    def seed(self, *axes: object) -> int:
        """A seed in [0, 2**32) for these axes: the first 4 bytes of their SHA-256."""
        text = "\x1f".join((*self.axes, *(str(axis) for axis in axes)))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
