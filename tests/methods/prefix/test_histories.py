"""Histories as padded vectors; the encoder counts letters, so that all values can be computed by hand."""

import numpy as np
import pytest
import torch

from methods.models.embedding_store import EmbeddingStore
from methods.prefix.histories import Batch, HistoryEncoder, ages_of, elapsed_of, subset
from tasks import TASKS
from tests.methods.helpers import LetterEncoder, behavior, example

CPU = torch.device("cpu")
FULL = example("full", history=[behavior("1", "aab", "5"), behavior("2", "c", "1")])
ONE = example("one", history=[behavior("3", "aab", "4")])
EMPTY = example("empty")


def histories(folder, *, labels=False, ages=False, elapsed=False, task="LaMP-3"):
    store = EmbeddingStore(LetterEncoder(), folder)
    return HistoryEncoder(store, TASKS.get(task)(), labels=labels, ages=ages, elapsed=elapsed)


def test_rows_are_padded_with_zeros_and_masked(tmp_path):
    made = histories(tmp_path)
    made.prepare([FULL, ONE, EMPTY])
    batch = made.batch([FULL, EMPTY, ONE], CPU)
    assert batch.vectors.tolist() == [
        [[2, 1, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 0, 0]],
        [[2, 1, 0], [0, 0, 0]],
    ]
    assert batch.mask.tolist() == [[True, True], [False, False], [True, False]]
    assert batch.ages is None
    assert batch.mean().tolist() == [[1, 0.5, 0.5], [0, 0, 0], [2, 1, 0]]


def test_a_batch_of_empty_histories_alone(tmp_path):
    batch = histories(tmp_path).batch([EMPTY, EMPTY], CPU)
    assert batch.vectors.shape == (2, 1, 3)
    assert not batch.mask.any()
    assert batch.mean().tolist() == [[0, 0, 0]] * 2


def test_each_distinct_text_is_encoded_once(tmp_path):
    made = histories(tmp_path)
    made.prepare([FULL, ONE])
    made.prepare([ONE, FULL, example("new", history=[behavior("9", "b"), behavior("8", "c")])])
    read = [text for call in made.store.encoder.calls for text in call]
    assert sorted(read) == ["aab", "b", "c"]
    again = histories(tmp_path)
    again.prepare([FULL, ONE])
    assert again.store.encoder.calls == []
    assert again.vectors(FULL).tolist() == [[2, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("task", "labels", "text"),
    [
        ("LaMP-3", False, "tea"),
        ("LaMP-3", True, "tea bac"),
        ("LaMP-4", True, "tea"),  # its corpus text has the title in it
        ("LaMP-7", True, "tea"),
    ],
)
def test_labels_are_read_only_where_asked_and_not_there_yet(tmp_path, task, labels, text):
    response = None if task == "LaMP-7" else "bac"
    found = histories(tmp_path, labels=labels, task=task).text(behavior("1", "tea", response))
    assert found == text


@pytest.mark.parametrize(
    ("dates", "ages"),
    [
        (["2020-01-02", "2021-01-01", "2020-01-10"], [2 / 3, 0, 1 / 3]),
        ([None, None, None, None], [0.75, 0.5, 0.25, 0]),  # file order is time order
        (["2020", "2020"], [0.5, 0]),
        (["2020-05-01", None], [0, 0.5]),  # undated ones come before all dated ones
        (["2020"], [0]),
    ],
)
def test_age_is_the_share_of_the_history_that_is_newer(dates, ages):
    history = [behavior(str(i), date=date) for i, date in enumerate(dates)]
    np.testing.assert_allclose(ages_of(history), ages, rtol=1e-15)


def test_ages_come_with_the_batch_where_asked(tmp_path):
    made = histories(tmp_path, ages=True)
    made.prepare([FULL, ONE, EMPTY])
    batch = made.batch([FULL, ONE, EMPTY], CPU, torch.float64)
    assert batch.ages.tolist() == [[0.5, 0], [0, 0], [0, 0]]
    assert batch.vectors.dtype == batch.ages.dtype == torch.float64
    assert batch.elapsed is None


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        (["2020-01-02", "2020-01-01T12:00:00", "2020-03-01"], [59, 59.5, 0]),  # a leap year
        (["2020", "2019-12-31", "2020-01"], [0, 1, 0]),  # from the first day on
        (["2020-01-11", None, "2020-01-01"], [0, 10, 10]),  # undated: as old as the oldest
        (["11.1.2020", "1.1.2020"], [0, 10]),
        ([None, None], [0, 0]),
        (["7", "12", "350"], [0, 0, 0]),  # numbers that only order the items
        ([], []),
    ],
)
def test_elapsed_is_the_logarithm_of_days_to_the_newest(dates, days):
    history = [behavior(str(i), date=date) for i, date in enumerate(dates)]
    np.testing.assert_allclose(elapsed_of(history), np.log(1 + np.array(days)), rtol=1e-12)


def test_elapsed_comes_with_the_batch_where_asked(tmp_path):
    made = histories(tmp_path, elapsed=True)
    dated = example("d", history=[behavior("1", "tea", date="2020-01-01"),
                                  behavior("2", "tea", date="2020-01-02")])  # fmt: skip
    made.prepare([dated, EMPTY])
    batch = made.batch([dated, EMPTY], CPU, torch.float64)
    assert batch.ages is None
    torch.testing.assert_close(
        batch.elapsed, torch.tensor([[2.0, 1.0], [1.0, 1.0]], dtype=torch.float64).log()
    )


def test_a_subset_keeps_the_order():
    asked = example("q", history=[behavior(str(i)) for i in range(5)])
    assert [b.id for b in subset(asked, {4, 0, 2}).history] == ["0", "2", "4"]
    assert subset(asked, set()).history == ()
    assert len(asked.history) == 5


def test_mean_counts_what_the_mask_shows():
    vectors = torch.tensor([[[1.0, 3.0], [3.0, 5.0], [0.0, 0.0]]])
    assert Batch([FULL], vectors, torch.tensor([[True, True, False]])).mean().tolist() == [[2, 4]]
