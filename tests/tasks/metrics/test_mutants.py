"""Edges of the metrics that a change of one operator or number would move unnoticed."""

import pytest

from tasks.lamp import LaMP1, LaMP2, LaMP3, LaMP4
from tasks.metrics import create, names
from tasks.metrics.metric import as_column
from tasks.scoring import Scoring


@pytest.mark.parametrize("task", [LaMP1, LaMP2])
@pytest.mark.parametrize("name", ["accuracy", "f1"])
def test_every_label_can_be_read_and_nothing_else(task, name):
    """The first label too: its index is 0."""
    metric = create(name, task())
    assert [metric.unparsed(f" {label}\n") for label in task.labels] == [False] * len(task.labels)
    assert [metric.unparsed(text) for text in ("", "[0]", "Comedy", "none")] == [True] * 4


def test_every_metric_has_the_name_it_is_created_by():
    for task in (LaMP1, LaMP3, LaMP4):
        for name in names(task()):
            assert create(name, task()).name == name


@pytest.mark.parametrize("aggregator", ["mean", "lamp"])
def test_nothing_to_score_is_an_error_under_every_aggregator(aggregator):
    with pytest.raises(ValueError, match="no examples to score"):
        create("rouge1", LaMP4(), Scoring(aggregator=aggregator)).reduce(as_column([]))
