"""Scoring a user's queries together equals scoring each by its definition, bit for bit."""

import dataclasses
import math

import numpy as np
import pytest
from rank_bm25 import BM25Okapi

from methods.models.embedding_store import EmbeddingStore
from methods.retrieval.bm25 import BM25Retriever
from methods.retrieval.by_user import Rankings
from methods.retrieval.dense import DenseRetriever
from methods.retrieval.okapi import OkapiIndex
from tasks.example import newest_first
from tests.methods.helpers import LetterEncoder, behavior, example


def one_user(draw, queries=4, letters="abcdefghij"):
    """Queries of one user whose histories share items: empty, repeated, dated and undated ones."""
    texts = [" ".join(draw.choice(list(letters), draw.integers(0, 12))) for _ in range(14)]
    texts += ["", texts[0], " a  a "]
    dates = [None, "2014-10-02", "2014-9-30", "2014-10-02"]
    items = [
        behavior(str(i), text, date=dates[draw.integers(len(dates))])
        for i, text in enumerate(texts)
    ]
    return [
        example(
            f"q{number}",
            " ".join(draw.choice([*letters, "z"], draw.integers(0, 9))),
            [items[i] for i in draw.choice(len(items), draw.integers(0, 30))],
        )
        for number in range(queries)
    ]


def by_rank_bm25(asked):
    corpus = [item.text.split() for item in asked.history]
    return BM25Okapi(corpus).get_scores(asked.query.split()) if any(corpus) else [0.0] * len(corpus)


def in_order(asked, scores):
    return sorted(newest_first(asked.history), key=lambda i: -scores[i])


def as_one_user(examples):
    return [dataclasses.replace(one, user_id="u") for one in examples]


class TestBM25:
    @pytest.mark.parametrize("letters", ["abc", "abcdefghij", "abcdefghijklmnopqrstuvwxy"])
    def test_scores_and_ranking_equal_rank_bm25(self, letters):
        draw = np.random.default_rng(len(letters))
        for _ in range(20):
            examples = as_one_user(one_user(draw, letters=letters))
            retriever = BM25Retriever()
            retriever.prepare(examples)
            for one in examples:
                expected = by_rank_bm25(one)
                assert retriever.scores(one).tolist() == list(expected)
                assert retriever.rank(one) == in_order(one, expected)

    def test_long_texts_and_repeated_query_words(self):
        draw = np.random.default_rng(1)
        words = [f"w{i}" for i in range(300)]
        texts = [" ".join(draw.choice(words, 80)) for _ in range(60)]
        query = " ".join(draw.choice(words, 100))
        one = example("q", query, [behavior(str(i), text) for i, text in enumerate(texts)])
        assert BM25Retriever().scores(one).tolist() == by_rank_bm25(one).tolist()

    def test_more_words_than_two_bytes_count(self):
        texts = [" ".join(f"w{i}" for i in range(start, start + 40_000)) for start in (0, 39_999)]
        texts += ["w7 w7 w79998 w7"]
        index = OkapiIndex(texts, str.split)
        query = ["w7", "w39999", "w79998"]
        expected = BM25Okapi([text.split() for text in texts]).get_scores(query)
        assert index.open_history(texts).score(query).tolist() == expected.tolist()

    def test_a_word_of_most_texts_weighs_a_quarter_of_the_average(self):
        """ "a" stands in 2 of 2 texts: idf = log .5 - log 2.5 < 0; average of "a" and "b"."""
        common, rare = math.log(0.5) - math.log(2.5), 0.0
        epsilon = 0.25 * (common + rare) / 2
        lengths = 1 - 0.75 + 0.75 * np.array([1, 2]) / 1.5
        found = OkapiIndex(["a", "a b"], str.split).open_history(["a", "a b"]).score(["a"])
        assert found == pytest.approx(epsilon * 2.5 / (1 + 1.5 * lengths))

    def test_each_text_is_split_once(self, monkeypatch):
        seen = []

        def split(text):
            seen.append(text)
            return text.split()

        monkeypatch.setattr("methods.retrieval.bm25.split_words", split)
        items = [behavior(str(i), f"text {i}") for i in range(9)]
        asked = as_one_user(example(f"q{i}", f"query {i}", items[i : i + 5]) for i in range(5))
        for _ in range(2):
            retriever = BM25Retriever("unicode")
            retriever.prepare(asked)
            retriever.top(asked[0], 3)
        assert sorted(seen) == sorted([*(b.text for b in items), *(one.query for one in asked)])


class TestDense:
    def test_scores_equal_the_query_alone(self, tmp_path):
        class RandomEncoder(LetterEncoder):
            dimension = 96

            def encode(self, texts, *, side):
                self.calls.append(texts)
                seeds = [[ord(letter) for letter in text[:40]] or [0] for text in texts]
                rows = [np.random.default_rng(seed).normal(size=96) for seed in seeds]
                return np.array(rows, np.float32).reshape(-1, 96)

        draw = np.random.default_rng(0)
        store = EmbeddingStore(RandomEncoder(), tmp_path)
        for _ in range(5):
            examples = as_one_user(one_user(draw))
            DenseRetriever(store).prepare(examples)
            for one in examples:
                items = store.get([item.text for item in one.history], side="document")
                query = store.get([one.query], side="query")[0].astype("float64")
                expected = (items.astype("float64") * query).sum(axis=1)
                assert DenseRetriever(store).scores(one).tolist() == expected.tolist()
                assert DenseRetriever(store).rank(one) == in_order(one, expected)
                alone = DenseRetriever(EmbeddingStore(RandomEncoder(), tmp_path))
                assert alone.scores(one).tolist() == expected.tolist()

    def test_methods_share_rankings_of_an_open_encoder_and_a_folder(self, tmp_path):
        encoder, asked = LetterEncoder(), [example("q", "ab", [behavior("1", "b")])]
        first, second, elsewhere = (
            DenseRetriever(EmbeddingStore(encoder, tmp_path / name)) for name in "aab"
        )
        first.prepare(asked)
        assert second.rankings is first.rankings
        second.embeddings = None  # known rankings need no vectors
        assert second.rank(asked[0]) == [0]
        elsewhere.prepare(asked)
        assert len(elsewhere.embeddings.matrix) == 2
        reopened = DenseRetriever(EmbeddingStore(LetterEncoder(), tmp_path / "a"))
        assert reopened.rankings is not first.rankings


class TestRankings:
    def test_dates_and_texts_tell_histories_apart(self):
        known = Rankings()
        items = [behavior("1", "x", date="2013"), behavior("2", "y", date="2012")]
        known.add(example("q", "a", items), np.zeros(2))
        for other in (
            example("q", "b", items),
            example("q", "a", items[:1]),
            example("q", "a", [dataclasses.replace(item, date=None) for item in items]),
        ):
            assert known.get(other) is None
        assert known.get(example("other", "a", items)).order.tolist() == [0, 1]

    def test_the_least_recently_used_is_dropped(self):
        known = Rankings(size=2)
        first, second, third = (example(id, id) for id in "abc")
        for one in (first, second):
            known.add(one, np.zeros(0))
        known.get(first)
        known.add(third, np.zeros(0))
        assert [known.get(one) is None for one in (first, second, third)] == [False, True, False]
        assert len(known) == 2

    def test_scores_are_read_only(self):
        scores = BM25Retriever().scores(example("q", "a", [behavior("1", "a"), behavior("2")]))
        with pytest.raises(ValueError, match="read-only"):
            scores[0] = 1
