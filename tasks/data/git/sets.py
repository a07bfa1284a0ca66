"""Items → train and dev queries with their histories, as LaMP's time split has them."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tasks.data.git.items import Item
from tasks.data.near_duplicates import find_near_duplicates, normalize_text

Query = tuple[Item, tuple[Item, ...]]
Count = Annotated[int, Field(ge=1)]


class GitRules(BaseModel):
    """How queries are cut out of histories.

    Attributes:
        dev: each author's last commits, which are asked.
        train: the commits before them, which methods are fitted on.
        min_history: earlier commits that each query needs; authors without them are left out.
        max_history: the newest of them that a history keeps.
        max_authors: the authors with the most commits; None: all.
        max_characters: of a text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dev: Count = 2
    train: Count = 4
    min_history: Count = 4
    max_history: Count = 25
    max_authors: Count | None = None
    max_characters: Count = 1200


class GitSets(BaseModel):
    """The queries of both sets, each with its history, oldest first; and what was left out."""

    model_config = ConfigDict(frozen=True)

    train: tuple[Query, ...]
    dev: tuple[Query, ...]
    left_out: Counter[str]


def make_sets(items: Sequence[Item], rules: GitRules) -> GitSets:
    """Each author's last items as dev queries, and those before them as train queries.

    A history holds what its author wrote strictly earlier, without items whose text is the query or
    its gold. A train query that nearly equals a dev query is left out.

    Args:
        items: oldest first.
    """
    by_author: dict[str, list[Item]] = {}
    for item in items:
        by_author.setdefault(item.author, []).append(item)
    left_out: Counter[str] = Counter()
    chosen: list[tuple[list[Query], list[Query]]] = []
    asked = rules.train + rules.dev
    for own in sorted(by_author.values(), key=lambda own: (-len(own), int(own[0].author))):
        queries = [(item, _find_history(item, own, rules)) for item in own[-asked:]]
        enough = all(len(history) >= rules.min_history for _, history in queries)
        if len(queries) < asked or not enough:
            left_out["authors with too few commits"] += 1
        elif rules.max_authors is not None and len(chosen) == rules.max_authors:
            left_out["authors beyond max_authors"] += 1
        else:
            chosen.append((queries[: rules.train], queries[rules.train :]))
    train = [query for queries, _ in chosen for query in queries]
    dev = [query for _, queries in chosen for query in queries]
    near = _find_near(train, dev)
    left_out["train queries that nearly equal a dev query"] += len(near)
    kept = [query for n, query in enumerate(train) if n not in near]
    return GitSets(train=tuple(kept), dev=tuple(dev), left_out=+left_out)


def _find_history(query: Item, own: Sequence[Item], rules: GitRules) -> tuple[Item, ...]:
    targets = {normalize_text(query.text), normalize_text(query.subject)}
    earlier = [
        item for item in own if item.time < query.time and normalize_text(item.text) not in targets
    ]
    return tuple(earlier[-rules.max_history :])


def _find_near(train: Sequence[Query], dev: Sequence[Query]) -> set[int]:
    """Places of train queries whose text nearly equals that of a dev query."""
    pairs = find_near_duplicates([item.text for item, _ in (*train, *dev)])
    return {first for first, second in pairs if first < len(train) <= second}
