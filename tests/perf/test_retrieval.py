"""Retrieval at LaMP-3's size against its definition, one query at a time: `make perf`."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rank_bm25 import BM25Okapi

from methods.models.embedding_store import EmbeddingStore
from methods.retrieval import best_first
from methods.retrieval.bm25 import BM25Retriever
from methods.retrieval.dense import DenseRetriever
from tasks import Behavior, Example
from tests.methods.helpers import LetterEncoder

USERS, QUERIES, ITEMS, K = 500, 4, 185, 4
VOCABULARY, DIMENSION = 20_000, 384


def make_users(users: int) -> Iterator[list[Example]]:
    """Users of 4 queries; each history is 185 of the user's 188 reviews of 40 to 200 words.

    Words follow Zipf's law, as in real text.
    """
    draw = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(VOCABULARY)])
    share = 1 / np.arange(1, VOCABULARY + 1)
    share /= share.sum()

    def write() -> str:
        return " ".join(words[draw.choice(VOCABULARY, draw.integers(40, 201), p=share)])

    for user in range(users):
        texts = [write() for _ in range(ITEMS + QUERIES - 1)]
        items = [Behavior(str(i), text, text) for i, text in enumerate(texts)]
        queries = [write() for _ in range(QUERIES)]
        yield [
            Example(f"{user}-{i}", str(user), query, query, query, tuple(items[i : i + ITEMS]))
            for i, query in enumerate(queries)
        ]


class RandomEncoder(LetterEncoder):
    """Random vectors, so that only retrieval takes time."""

    dimension = DIMENSION

    def encode(self, texts: list[str], *, side: str) -> np.ndarray:
        return np.random.default_rng(len(texts)).normal(size=(len(texts), DIMENSION)).astype("f4")


def test_bm25_of_a_users_queries_together_against_rank_bm25() -> None:
    """CPU seconds, because other work on the machine must not count."""
    slow = fast = again = 0.0
    for user in make_users(USERS):
        start = time.process_time()
        expected = []
        for example in user:
            corpus = [behavior.text.split() for behavior in example.history]
            scores = BM25Okapi(corpus).get_scores(example.query.split())
            expected.append(best_first(example.history, scores)[:K])
        middle = time.process_time()
        retriever = BM25Retriever()
        retriever.prepare(user)
        found = [retriever.rank(example)[:K] for example in user]
        after = time.process_time()
        assert [BM25Retriever().rank(example)[:K] for example in user] == expected == found
        end = time.process_time()
        slow, fast, again = slow + middle - start, fast + after - middle, again + end - after
    _report("BM25", USERS * QUERIES, slow, fast, again)
    assert slow / fast >= 5


def test_dense_of_a_users_queries_together_against_one_by_one(tmp_path: Path) -> None:
    store = EmbeddingStore(RandomEncoder(), tmp_path)
    slow = fast = again = 0.0
    users = USERS // 10
    for user in make_users(users):
        texts = [behavior.text for example in user for behavior in example.history]
        store.add(texts, side="document")
        store.add([example.query for example in user], side="query")
        start = time.process_time()
        expected = []
        for example in user:
            items = store.get([b.text for b in example.history], side="document").astype("f8")
            query = store.get([example.query], side="query")[0].astype("f8")
            expected.append(best_first(example.history, (items * query).sum(axis=1))[:K])
        middle = time.process_time()
        retriever = DenseRetriever(store)
        retriever.prepare(user)
        found = [retriever.rank(example)[:K] for example in user]
        after = time.process_time()
        assert [DenseRetriever(store).rank(e)[:K] for e in user] == expected == found
        end = time.process_time()
        slow, fast, again = slow + middle - start, fast + after - middle, again + end - after
    _report("dense", users * QUERIES, slow, fast, again)
    assert slow / fast > 1


def _report(what: str, queries: int, slow: float, fast: float, again: float) -> None:
    each, together, known = (1000 * seconds / queries for seconds in (slow, fast, again))
    print(
        f"\n{what}, {queries} queries × {ITEMS} items: {slow / fast:.1f} × ({each:.2f} ms a query "
        f"one by one → {together:.2f} ms together, {known:.2f} ms from known rankings)"
    )
