"""JSON objects in which no key stands twice: Python's parser would silently keep the last value."""

from typing import Any


class KeyTwiceError(ValueError):
    """An object holds a key twice; `id` is the object's own, if it has one."""

    def __init__(self, key: str, id: object) -> None:
        super().__init__(f"holds the key {key!r} twice")
        self.id = id


def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object with these keys, as `object_pairs_hook` of json. Raises KeyTwiceError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise KeyTwiceError(next(name for name in names if names.count(name) > 1), found.get("id"))
    return found
