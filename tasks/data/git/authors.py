"""Who wrote which commits: names and addresses of one person are merged and become a number."""

import re
from collections.abc import Iterable

from tasks.common.files import content_key
from tasks.data.git.repository import Commit

SHARED = re.compile(r"no-?reply@|@(?:localhost|localdomain|local|none|example\.\w+)?$|^root@|^\W*$")
"""Addresses that many people's commits carry."""

Identity = tuple[str, str]


def number_authors(commits: Iterable[Commit]) -> dict[Identity, str]:
    """(name, address) → the number of the person, from "1" on.

    Two identities are one person if their addresses are equal, or their names of two words or
    more; case doesn't matter. The numbers' order comes from a hash, so that it says nothing.
    """
    identities = list(dict.fromkeys((commit.name, commit.mail) for commit in commits))
    parent = {identity: identity for identity in identities}

    def root(identity: Identity) -> Identity:
        while parent[identity] != identity:
            identity = parent[identity]
        return identity

    first: dict[tuple[str, str], Identity] = {}
    for identity in identities:
        for mark in _find_marks(identity):
            parent[root(identity)] = root(first.setdefault(mark, identity))
    people: dict[Identity, list[Identity]] = {}
    for identity in identities:
        people.setdefault(root(identity), []).append(identity)
    order = sorted(people.values(), key=lambda own: content_key(sorted(own), length=64))
    return {identity: str(n) for n, own in enumerate(order, start=1) for identity in own}


def _find_marks(identity: Identity) -> list[tuple[str, str]]:
    """What an identity is recognized by."""
    name, mail = (" ".join(part.casefold().split()) for part in identity)
    marks = [] if SHARED.search(mail) else [("mail", mail)]
    return [*marks, ("name", name)] if len(name.split()) > 1 else marks
