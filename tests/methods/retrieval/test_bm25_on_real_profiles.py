from pathlib import Path

import pytest
from rank_bm25 import BM25Okapi

from methods.retrieval.bm25 import BM25Retriever
from tasks import TASKS
from tasks.data.loading import load_dataset

REAL = Path(__file__).parents[3].parent / "shared" / "data" / "lamp3-real"


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the real LaMP-3 sample next to the repository")
def test_ranking_equals_rank_bm25_sorted_stably():
    """300 real profiles: 150 dev and 150 train queries, cut to 60 words for speed."""
    task = TASKS.get("LaMP-3")()
    examples = [
        example
        for set in ("dev", "train")
        for example in load_dataset(task, REAL, split="time", set=set, limit=150).examples
    ]
    assert len(examples) == 300
    for example in examples:
        corpus = [behavior.text.split() for behavior in example.history]
        scores = BM25Okapi(corpus).get_scores(example.query.split())
        dates = [
            tuple(map(int, (b.date or "").split("-"))) if b.date else () for b in example.history
        ]
        newest = sorted(range(len(corpus)), key=lambda i: (dates[i], i), reverse=True)
        assert BM25Retriever().rank(example) == sorted(newest, key=lambda i: -scores[i])
