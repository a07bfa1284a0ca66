"""The official wording of the seven tasks."""

import subprocess
import sys

import pytest

from tasks import TASKS, Example
from tasks.lamp import MOVIE_TAGS, LaMP1, LaMP2, LaMP3, LaMP4, LaMP5, LaMP6, LaMP7
from tests.tasks.support import Words

TAG_LIST = (
    "sci-fi, based on a book, comedy, action, twist ending, dystopia, dark comedy, classic, "
    "psychology, fantasy, romance, thought-provoking, social commentary, violence, true story"
)
CITATION = (
    'For an author who has written the paper with the title "{}", which reference is related? '
    'Just answer with [1] or [2] without explanation. [1]: "{}" [2]: "{}"'
)
PAPER = {"id": "p1", "title": "Sparse Nets", "abstract": "We prune.", "date": 2019}
NEWS = {"id": 7, "title": "Rain", "text": "It rained a lot."}

# task, input, query, profile item, corpus text, item prompt, response
CASES = [
    (
        LaMP1,
        CITATION.format("Own", "First One", "Second One"),
        "First One Second One",
        PAPER,
        "Sparse Nets We prune.",
        '"Sparse Nets"',
        None,
    ),
    (
        LaMP2,
        "Which tag does this movie relate to among the following tags? Just answer with the tag "
        f"name without further explanation. tags: [{TAG_LIST}] description: A robot, alone.",
        "A robot, alone.",
        {"id": "1", "description": "Space opera.", "tag": "sci-fi"},
        "Space opera.",
        'the tag for the movie: "Space opera." is "sci-fi"',
        "sci-fi",
    ),
    (
        LaMP3,
        "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, "
        "4, or 5 without further explanation. review: Nice. review: twice",
        "Nice. review: twice",
        {"id": "1", "text": "Bad {broken}.", "score": 1},
        "Bad {broken}.",
        '1 is the score for "Bad {broken}."',
        "1",
    ),
    (
        LaMP4,
        "Generate a headline for the following article: Sun is back.",
        "Sun is back.",
        NEWS,
        "Rain It rained a lot.",
        '"Rain" is the title for "It rained a lot."',
        "Rain",
    ),
    (
        LaMP5,
        "Generate a title for the following abstract of a paper: We show.",
        "We show.",
        PAPER,
        "Sparse Nets We prune.",
        '"Sparse Nets" is a title for "We prune."',
        "Sparse Nets",
    ),
    (
        LaMP6,
        "Generate a subject for the following email: Hi: there",
        "Hi: there",
        NEWS,
        "It rained a lot.",
        '"Rain" is the title for "It rained a lot."',
        "Rain",
    ),
    (
        LaMP7,
        "Paraphrase the following tweet without any explanation before or after it: so: tired",
        "so: tired",
        {"id": "1", "text": "ugh mondays"},
        "ugh mondays",
        '"ugh mondays"',
        None,
    ),
]
ids = [case[0].name for case in CASES]


@pytest.mark.parametrize(
    ("task", "input", "query", "raw", "text", "item", "response"), CASES, ids=ids
)
def test_official_wording(task, input, query, raw, text, item, response):
    task = task()
    behavior = task.behavior(raw)
    assert task.query(input) == query
    assert behavior.id == str(raw["id"])
    assert behavior.text == text
    assert behavior.response == response
    assert task.demonstration(behavior, None, Words()) == item


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_another_tasks_input_is_refused(case):
    for other in CASES:
        if other[0] is not case[0]:
            with pytest.raises(ValueError, match=f"not a {case[0].name} prompt"):
                case[0]().query(other[1])


def test_all_tasks_are_registered_without_heavy_imports():
    long = [f"LongLaMP-{name}" for name in ("abstract", "review", "topic")]
    questions = [f"LaMP-QA-{name}" for name in ("art", "lifestyle", "society")]
    assert TASKS.names() == [*(f"LaMP-{k}" for k in range(1, 8)), *questions, *long]
    code = (
        "import sys, tasks; tasks.TASKS.names(); [tasks.TASKS.get(n)() for n in tasks.TASKS.names()];"
        "print([m for m in ('torch', 'transformers', 'evaluate', 'datasets', 'numpy', 'requests')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_lamp1_titles_may_contain_quotes():
    task = LaMP1()
    input = CITATION.format('A "quoted" own', 'The "one"', 'No, "the" other')
    assert task.subject(input) == 'A "quoted" own'
    assert task.query(input) == 'The "one" No, "the" other'


def test_lamp2_lists_its_labels_in_the_official_order():
    assert ", ".join(MOVIE_TAGS) == TAG_LIST
    assert len(set(LaMP2.labels)) == 15


@pytest.mark.parametrize(
    ("raw", "error", "what"),
    [
        ({"id": "1", "score": "5"}, KeyError, "text"),
        ({"id": "1", "text": None, "score": "5"}, KeyError, "text"),
        ({"id": "1", "text": ["a"], "score": "5"}, TypeError, "'text' is list"),
        ({"id": "1", "text": "a", "score": True}, TypeError, "'score' is bool"),
        ({"id": "1", "text": "a"}, KeyError, "score"),
        ({"text": "a", "score": "5"}, KeyError, "id"),
    ],
)
def test_a_faulty_profile_item_names_its_field(raw, error, what):
    with pytest.raises(error, match=what):
        LaMP3().behavior(raw)


def example(task, *raws):
    history = tuple(task.behavior(raw) for raw in raws)
    return Example("1", "1", "input", "query", "query", history)


def test_training_pairs_use_the_tasks_own_prompts():
    assert LaMP1().training_pairs(example(LaMP1(), PAPER)) == [
        ("Write an abstract for this title: Sparse Nets", "We prune.")
    ]
    assert LaMP4().training_pairs(example(LaMP4(), NEWS)) == [
        ("Generate a headline for the following article: It rained a lot.", "Rain")
    ]
    review = {"id": "1", "text": "Bad.", "score": "1"}
    (pair,) = LaMP3().training_pairs(example(LaMP3(), review))
    assert pair == (f"{LaMP3.instruction} Bad.", "1")
    assert LaMP3().query(pair[0]) == "Bad."


def test_a_tweet_is_completed_after_a_tenth_to_a_quarter_of_its_words():
    words = [f"w{index}" for index in range(100)]
    tweets = [{"id": str(n), "text": " ".join([f"t{n}", *words])} for n in range(20)]
    pairs = LaMP7().training_pairs(example(LaMP7(), *tweets, {"id": "x", "text": " "}))
    assert pairs == LaMP7().training_pairs(example(LaMP7(), *tweets))
    cuts = set()
    for tweet, (prompt, rest) in zip(tweets, pairs, strict=True):
        beginning = prompt.removeprefix("Complete the following tweet: ")
        assert f"{beginning} {rest}" == tweet["text"]
        cuts.add(len(beginning.split()))
    assert min(cuts) >= 10
    assert max(cuts) <= 25
    assert len(cuts) > 3


def test_history_text_contains_labels_only_on_request():
    movie = LaMP2().behavior({"id": "1", "description": "Space.", "tag": "sci-fi"})
    assert LaMP2().history_text(movie) == "Space."
    assert LaMP2().history_text(movie, labels=True) == "Space. sci-fi"
    news = LaMP4().behavior(NEWS)
    assert LaMP4().history_text(news, labels=True) == "Rain It rained a lot."
