"""Training pairs made of a user's own history."""

from methods.lora.lessons import as_queries
from tasks import TASKS
from tests.methods.helpers import behavior, example
from tests.methods.lora_users import EXAMPLES


def test_only_earlier_items_are_shown_in_training():
    task = TASKS.get("LaMP-3")()
    queries = [query for query, _ in as_queries(task, EXAMPLES[2])]
    # The dates fall along the file: the last item is the oldest.
    assert [query.id for query in queries] == [f"user 2:b{i}" for i in (4, 3, 2, 1, 0)]
    assert [[b.id for b in query.history] for query in queries] == [
        [], ["b4"], ["b3", "b4"], ["b2", "b3", "b4"], ["b1", "b2", "b3", "b4"],
    ]  # fmt: skip
    assert queries[0].query == EXAMPLES[2].history[4].content
    assert queries[0].input == f"{task.instruction} {queries[0].query}"


def test_the_query_of_a_completed_tweet_shows_no_more_than_its_input():
    task = TASKS.get("LaMP-7")()
    tweet = behavior("t", "one two three four five six seven eight nine ten")
    ((query, response),) = as_queries(task, example("q", history=[tweet]))
    assert query.query == query.input
    assert response.split()[-1] == "ten"
    assert "ten" not in query.query
