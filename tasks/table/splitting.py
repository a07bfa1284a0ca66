"""Rows → the queries of train, dev and test, each with the user's strictly earlier rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.common.instants import Instant, fill_instant, find_ties
from tasks.common.seeds import Seeds
from tasks.data.layout import SETS, SetName, SplitName
from tasks.table.config import TableConfig
from tasks.table.rows import Row


@dataclass(frozen=True, slots=True)
class Query:
    """A row that is asked about, and the rows of its user that precede it, oldest first."""

    row: Row
    history: tuple[Row, ...]


@dataclass(frozen=True)
class Splits:
    """The queries of each set, and how many rows became none because their history is too short.

    A set holds every user's newest query first, then every user's second newest, and so on: the
    first N queries, which a suite's limits take, are of as many users as possible.
    """

    queries: dict[SetName, tuple[Query, ...]]
    too_short: dict[SetName, int]


def split_rows(rows: Sequence[Row], config: TableConfig, split: SplitName) -> Splits:
    """Divide a table's rows.

    By time, each user's last `config.test` rows (1 if it is None) are test queries, the
    `config.dev` before them dev queries, and those before them train queries. By user, each set has
    users of its own, drawn by their names alone, and asks about their last rows. Rows that are no
    query are history only.
    """
    users = group_by_user(rows)
    wanted = {"train": config.train, "dev": config.dev, "test": config.test}
    if split == "time":
        wanted |= {set: 1 for set in ("dev", "test") if wanted[set] is None}
    sets = _draw_sets(list(users), config.user_shares) if split == "user" else {}
    rounds: dict[SetName, list[list[Query]]] = {set: [] for set in SETS}
    too_short: dict[SetName, int] = dict.fromkeys(SETS, 0)
    for user, own in users.items():
        end = len(own)
        for set in [sets[user]] if sets else reversed(SETS):
            count = wanted[set]
            start = 0 if count is None else max(0, end - count)
            asked = [Query(own[at], _find_earlier(own, at)) for at in range(start, end)]
            kept = [query for query in reversed(asked) if len(query.history) >= config.min_history]
            too_short[set] += len(asked) - len(kept)
            for rank, query in enumerate(kept):
                while len(rounds[set]) <= rank:
                    rounds[set].append([])
                rounds[set][rank].append(query)
            end = start
    queries = {set: tuple(query for round in rounds[set] for query in round) for set in SETS}
    return Splits(queries, too_short)


def group_by_user(rows: Sequence[Row]) -> dict[str, tuple[Row, ...]]:
    """Each user's rows by time, in file order where times are equal; users as they first appear."""
    users: dict[str, list[Row]] = {}
    for row in rows:
        users.setdefault(row.user, []).append(row)
    for own in users.values():
        own.sort(key=lambda row: fill_instant(row.time))
    return {user: tuple(own) for user, own in users.items()}


def find_tied_rows(own: Sequence[Row]) -> tuple[Row, ...]:
    """The rows of one user whose time is also that of another one, as far as both are known."""
    tied = find_ties(row.time for row in own)
    return tuple(row for row in own if row.time in tied)


def _find_earlier(own: tuple[Row, ...], at: int) -> tuple[Row, ...]:
    """The rows before one; where rows have times, only those whose time is surely earlier."""
    time = own[at].time
    return own[:at] if not time else tuple(row for row in own[:at] if is_earlier(row.time, time))


def is_earlier(one: Instant, other: Instant) -> bool:
    """Whether an instant precedes another, as far as both are known: 2014 and 2014-07 don't."""
    known = min(len(one), len(other))
    return one[:known] < other[:known]


def _draw_sets(users: Sequence[str], shares: tuple[float, float, float]) -> dict[str, SetName]:
    """The set of each user: at least one dev and one test user where their shares are above 0."""
    seeds = Seeds.root("table", "users")
    order = sorted(users, key=lambda user: (seeds.seed(user), user))
    _, dev, test = (max(share and 1, round(share * len(order))) for share in shares)
    counts: tuple[tuple[SetName, int], ...] = (("test", int(test)), ("dev", int(dev)))
    names = iter([set for set, count in counts for _ in range(count)])
    return {user: next(names, "train") for user in order}
