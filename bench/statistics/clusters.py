"""Whose example each is: the one place that decides what counts as independent."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Clusters:
    """A partition of n examples into U users.

    Attributes:
        names: [U] the users, sorted; groups of users where `merge` has merged them.
        codes: [n] the index in `names` of each example's user.
    """

    names: tuple[str, ...]
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, users: Sequence[str]) -> Self:
        """The partition of examples whose users are `users` [n]."""
        names, codes = np.unique(np.asarray(users, dtype=np.str_), return_inverse=True)
        return cls(tuple(names.tolist()), codes)

    @property
    def n_users(self) -> int:
        return len(self.names)

    @cached_property
    def sizes(self) -> Floats:
        """[U] examples of each user."""
        return np.bincount(self.codes, minlength=self.n_users).astype(np.float64)

    @cached_property
    def members(self) -> tuple[NDArray[np.intp], ...]:
        """[U] the examples of each user."""
        order = np.argsort(self.codes, kind="stable")
        return tuple(np.split(order, np.cumsum(self.sizes.astype(np.intp))[:-1]))

    def sum(self, values: Floats) -> Floats:
        """Sums of per-example values [n] by user [U]."""
        sums = np.bincount(self.codes, weights=values, minlength=self.n_users)
        return np.asarray(sums, dtype=np.float64)

    def merge(self, most: int) -> "Clusters":
        """At most `most` groups of whole users, about equally many users each."""
        if self.n_users <= most:
            return self
        group = np.arange(self.n_users) % most
        return Clusters(tuple(f"group {number}" for number in range(most)), group[self.codes])


@lru_cache(maxsize=64)  # every row of a table's column has the same users
def partition(users: tuple[str, ...]) -> Clusters:
    """`Clusters.of`, computed once for equal users."""
    return Clusters.of(users)
