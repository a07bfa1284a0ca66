"""Retrievers: scores by hand, the order of ties, and seeds."""

import math
from collections import Counter

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from methods.models.embedding_store import EmbeddingStore
from methods.retrieval import best_first
from methods.retrieval.bm25 import BM25Retriever
from methods.retrieval.dense import DenseRetriever
from methods.retrieval.random_order import RandomRetriever
from methods.retrieval.recency import RecencyRetriever
from tasks.common.seeds import Seeds
from tasks.example import newest_first
from tests.methods.helpers import LetterEncoder, behavior, example


def history(*texts, dates=None):
    return [
        behavior(str(i), text, date=date)
        for i, (text, date) in enumerate(zip(texts, dates or [None] * len(texts), strict=True))
    ]


class TestRecency:
    def test_undated_items_keep_file_order(self):
        assert newest_first(history("a", "b", "c")) == [2, 1, 0]

    def test_dates_compare_as_numbers(self):
        dates = ["2014-9-30", "2014-10-02", "2013-12-31", "2014-10-01"]
        assert newest_first(history(*"abcd", dates=dates)) == [1, 3, 0, 2]

    def test_years_alone_and_equal_dates(self):
        assert newest_first(history(*"abc", dates=["2010", "2012", "2010"])) == [1, 2, 0]

    def test_mixed_dates_put_undated_last(self):
        dates = [None, "2011-01-01", None, "2015-01-01", "unknown"]
        assert newest_first(history(*"abcde", dates=dates)) == [3, 1, 4, 2, 0]

    def test_the_query_is_ignored(self):
        assert RecencyRetriever().rank(example(query="a", history=history("a", "b"))) == [1, 0]

    def test_empty(self):
        assert RecencyRetriever().rank(example()) == []


class TestBM25:
    def test_scores_match_the_formula(self):
        """idf·f·(k1+1) / (f + k1·(1−b+b·|d|/avgdl)), k1=1.5, b=.75, by hand for one word."""
        found = BM25Retriever().scores(
            example(query="war", history=history("war war film", "a film", "bread", "tea"))
        )
        idf = math.log(4 - 1 + 0.5) - math.log(1 + 0.5)
        average = (3 + 2 + 1 + 1) / 4
        expected = idf * 2 * 2.5 / (2 + 1.5 * (1 - 0.75 + 0.75 * 3 / average))
        assert found == pytest.approx([expected, 0, 0, 0])

    def test_ranks_best_first_ties_newest_first(self):
        asked = example(query="war", history=history("tea", "war", "bread", "salt"))
        assert BM25Retriever().rank(asked) == [1, 3, 2, 0]

    def test_ties_are_ordered_by_date(self):
        dates = ["2015", "2013", "2014"]
        asked = example(query="war", history=history("x", "y", "z", dates=dates))
        assert BM25Retriever().rank(asked) == [0, 2, 1]

    def test_case_and_punctuation_are_kept(self):
        asked = example(query="War", history=history("War", "war", "War,", "tea"))
        assert BM25Retriever().rank(asked)[0] == 0
        assert np.count_nonzero(BM25Retriever().scores(asked)) == 1

    @pytest.mark.parametrize("texts", [(), ("",), ("", " ", "\n")])
    def test_histories_without_words(self, texts):
        asked = example(query="war", history=history(*texts))
        assert BM25Retriever().rank(asked) == list(range(len(texts)))[::-1]

    def test_some_empty_texts(self):
        asked = example(query="war", history=history("", "war", ""))
        assert sorted(BM25Retriever().rank(asked)) == [0, 1, 2]

    def test_empty_query(self):
        assert BM25Retriever().rank(example(history=history("a", "b"))) == [1, 0]

    def test_one_item(self):
        assert BM25Retriever().rank(example(query="a", history=history("a"))) == [0]

    def test_equals_rank_bm25_sorted_stably_on_random_histories(self):
        draw = np.random.default_rng(0)
        for _ in range(30):
            texts = [
                " ".join(draw.choice(list("abcdefgh"), draw.integers(0, 6)))
                for _ in range(draw.integers(1, 30))
            ] + ["h"]
            query = " ".join(draw.choice(list("abcdefgh"), 3))
            scores = BM25Okapi([text.split() for text in texts]).get_scores(query.split())
            newest = range(len(texts) - 1, -1, -1)
            assert BM25Retriever().rank(example(query=query, history=history(*texts))) == sorted(
                newest, key=lambda i, scores=scores: -scores[i]
            )


class TestDense:
    def test_dot_products(self, tmp_path):
        dense = DenseRetriever(EmbeddingStore(LetterEncoder(), tmp_path))
        asked = example(query="ab", history=history("a", "bb", "cc", "aab"))
        assert dense.scores(asked).tolist() == [1, 2, 0, 3]
        assert dense.rank(asked) == [3, 1, 0, 2]

    def test_only_the_query_gets_its_prefix(self, tmp_path):
        dense = DenseRetriever(EmbeddingStore(LetterEncoder(query_prefix="c"), tmp_path))
        assert dense.scores(example(query="a", history=history("a", "c"))).tolist() == [1, 1]

    def test_equal_texts_tie_newest_first(self, tmp_path):
        dense = DenseRetriever(EmbeddingStore(LetterEncoder(), tmp_path))
        asked = example(query="abc", history=history(*["abc", "aab"] * 20))
        assert dense.rank(asked) == list(range(39, -1, -1))

    def test_prepare_encodes_all_texts_in_two_calls(self, tmp_path):
        encoder = LetterEncoder()
        dense = DenseRetriever(EmbeddingStore(encoder, tmp_path))
        asked = [
            example("1", "a", history("ab", "c")),
            example("2", "b", history("ab", "cc")),
        ]
        dense.prepare(asked)
        assert [sorted(call) for call in encoder.calls] == [["ab", "c", "cc"], ["a", "b"]]
        for one in asked:
            dense.rank(one)
        assert len(encoder.calls) == 2

    def test_empty(self, tmp_path):
        dense = DenseRetriever(EmbeddingStore(LetterEncoder(), tmp_path))
        dense.prepare([example()])
        assert dense.rank(example()) == []


class TestRandom:
    def test_order_is_a_permutation_seeded_by_the_examples_id(self):
        items = history(*"abcdefgh")
        first = RandomRetriever(Seeds.root(0)).rank(example("1", history=items))
        assert sorted(first) == list(range(8))
        assert RandomRetriever(Seeds.root(0)).rank(example("1", history=items)) == first
        others = [
            RandomRetriever(Seeds.root(0)).rank(example("2", history=items)),
            RandomRetriever(Seeds.root(1)).rank(example("1", history=items)),
        ]
        assert first not in others

    def test_order_is_uniform(self):
        retriever = RandomRetriever(Seeds.root(0))
        items = history(*"abcd")
        firsts = Counter(retriever.rank(example(str(i), history=items))[0] for i in range(2000))
        assert all(abs(firsts[i] - 500) < 100 for i in range(4))


def test_top_is_best_first_and_at_most_the_history():
    asked = example(query="war", history=history("tea", "war", "bread"))
    assert [b.id for b in BM25Retriever().top(asked, 2)] == ["1", "2"]
    assert [b.id for b in BM25Retriever().top(asked, 9)] == ["1", "2", "0"]


def test_best_first_is_stable():
    assert best_first(history(*"abcd"), np.array([1.0, 2.0, 1.0, 2.0])) == [3, 1, 2, 0]
