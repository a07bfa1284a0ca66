"""Baselines without an LLM, each against answers worked out by hand."""

import pytest

from methods import METHODS
from methods.copy_baselines import CopyDenseNearestResponse, CopyInput, CopyNearestResponse
from methods.profile_baselines import (
    DenseKnnVote,
    GlobalMajority,
    KnnVote,
    MajorityLabel,
    MeanScore,
    MedianScore,
)
from tasks import TASKS
from tasks.common.errors import ModelError
from tests.methods.helpers import LetterEncoder, behavior, build, example, split

TRAIN = split({"1": "4", "2": "5", "3": "4 ", "4": "1"})


def fit(method, folder, config=None, **surroundings):
    found = build(method, folder, config, **surroundings)
    found.fit(TRAIN, None)
    return found


def score_items(*scores, dates=None):
    return [
        behavior(str(i), f"text {i}", score, date=date)
        for i, (score, date) in enumerate(zip(scores, dates or [None] * len(scores), strict=True))
    ]


def answer(method, folder, history, query="", **surroundings):
    (found,) = fit(method, folder, **surroundings).predict([example("q", query, history)])
    return found


def test_global_majority_answers_the_most_frequent_label(tmp_path):
    found = fit(GlobalMajority, tmp_path).predict(
        [example("a"), example("b", "x", score_items("1"))]
    )
    assert [(p.id, p.text, p.note) for p in found] == [("a", "4", None), ("b", "4", None)]


def test_global_majority_ties_go_to_the_first_label(tmp_path):
    method = build(GlobalMajority, tmp_path)
    report = method.fit(split({"1": "5", "2": "2", "3": "2", "4": "5"}), None)
    assert method.predict([example()])[0].text == "2"
    assert (report.examples, report.steps) == (4, 0)


@pytest.mark.parametrize(
    ("scores", "dates", "label"),
    [
        (("1", "2", "2"), None, "2"),
        (("1", "2"), None, "2"),  # a tie: the last in file order
        (("1", "1", "2", "2", "1", "2"), None, "2"),
        (("3", "5"), ("2016", "2015"), "3"),  # a tie: the newest by date
        (("3",), None, "3"),
        (("3", None, "nonsense", None), None, "3"),
    ],
)
def test_majority_label_answers_the_users_most_frequent_label(tmp_path, scores, dates, label):
    assert answer(MajorityLabel, tmp_path, score_items(*scores, dates=dates)).text == label


@pytest.mark.parametrize(
    ("scores", "mean", "median"),
    [
        (("5",), "5", "5"),
        (("1", "5", "5"), "4", "5"),  # 3.67 and 5
        (("4", "5"), "5", "5"),  # equally near: the higher
        (("1", "2", "2", "5"), "3", "2"),  # 2.5 goes up; 2
        (("1", "1", "1", "2"), "1", "1"),  # 1.25; 1
    ],
)
def test_mean_and_median_score_answer_the_nearest_label(tmp_path, scores, mean, median):
    assert answer(MeanScore, tmp_path, score_items(*scores)).text == mean
    assert answer(MedianScore, tmp_path, score_items(*scores)).text == median


@pytest.mark.parametrize("method", [MajorityLabel, MeanScore, MedianScore, KnnVote])
def test_without_labels_in_the_history_the_global_majority_answers(tmp_path, method):
    found = answer(method, tmp_path, [])
    assert (found.text, found.note) == ("4", "empty history: global majority")
    found = answer(method, tmp_path, score_items(None, "nonsense"))
    assert (found.text, found.note) == ("4", "no label in the history: global majority")


NEIGHBOURS = [
    behavior("0", "war war war", "1"),
    behavior("1", "war tea", "2"),
    behavior("2", "war salt", "2"),
    *(behavior(str(i), text, "5") for i, text in enumerate("defgh", 3)),
]


def test_knn_weights_votes_by_similarity(tmp_path):
    """BM25's scores for "war": .90 for item 0, .74 for items 1 and 2, else 0."""
    method = fit(KnnVote, tmp_path, {"k": 3})
    scores = method.retriever.scores(example("q", "war", NEIGHBOURS))
    assert scores[0] > scores[1] == scores[2] > 0
    assert scores[0] < scores[1] + scores[2]
    (found,) = method.predict([example("q", "war", NEIGHBOURS)])
    assert (found.text, found.behaviors) == ("2", ("0", "2", "1"))
    (found,) = fit(KnnVote, tmp_path, {"k": 2}).predict([example("q", "war", NEIGHBOURS)])
    assert (found.text, found.behaviors) == ("1", ("0", "2"))


def test_knn_without_any_similarity_counts_votes(tmp_path):
    history = score_items("1", "3", "1", "3", "2")
    found = answer(KnnVote, tmp_path, history, "nothing alike")
    assert (found.text, found.behaviors) == ("3", ("4", "3", "2", "1"))


def test_knn_ignores_negative_similarities(tmp_path):
    """A word in both of two documents has a negative idf, as has its floor: all scores < 0."""
    history = [behavior("0", "war", "1"), behavior("1", "war", "3"), behavior("2", "war tea", "3")]
    method = fit(KnnVote, tmp_path)
    asked = example("q", "war", history)
    assert method.retriever.scores(asked).max() < 0
    assert method.predict([asked])[0].text == "3"


def test_dense_knn_uses_the_encoder(tmp_path):
    history = [behavior("0", "aaa", "1"), behavior("1", "b", "2"), behavior("2", "ab", "2")]
    encoder = LetterEncoder()
    found = answer(DenseKnnVote, tmp_path, history, "a", encoder=encoder)  # 3 against 0 + 1
    assert (found.text, found.behaviors) == ("1", ("0", "2", "1"))
    assert len(encoder.calls) == 2


def test_copy_input_answers_the_query(tmp_path):
    found = build(CopyInput, tmp_path, task="LaMP-7").predict([example("q", "a tweet")])
    assert [(p.id, p.text) for p in found] == [("q", "a tweet")]


@pytest.mark.parametrize(
    ("task", "history", "text", "ids", "note"),
    [
        (
            "LaMP-4",
            [behavior("0", "war", "title"), behavior("1", "tea", "no")],
            "title",
            ("0",),
            None,
        ),
        ("LaMP-7", [behavior("0", "war is"), behavior("1", "tea")], "war is", ("0",), None),
        ("LaMP-4", [], "war", (), "empty history: query copied"),
        ("LaMP-3", [behavior("0", "war", "2"), behavior("1", "tea", "1")], "2", ("0",), None),
        ("LaMP-3", [behavior("0", "war"), behavior("1", "tea", "1")], "1", ("1",), None),
        ("LaMP-3", [], "4", (), "empty history: global majority"),
        ("LaMP-3", [behavior("0", "war")], "4", (), "no label in the history: global majority"),
    ],
)
def test_copy_nearest_response_answers_with_the_nearest_item(
    tmp_path, task, history, text, ids, note
):
    filler = [behavior(str(i), word, "1") for i, word in enumerate("defgh", 10)] if ids else []
    found = answer(CopyNearestResponse, tmp_path, [*filler, *history], "war", task=task)
    if task == "LaMP-3" and ids == ("1",):
        assert found.text == "1"  # the nearest behaviour has no label, but the next one has
    else:
        assert (found.text, found.behaviors, found.note) == (text, ids, note)


def test_copy_dense_nearest_response_uses_the_encoder(tmp_path):
    history = [behavior("0", "a", "first"), behavior("1", "b", "second")]
    found = answer(
        CopyDenseNearestResponse, tmp_path, history, "a", task="LaMP-4", encoder=LetterEncoder()
    )
    assert found.text == "first"


def test_a_loaded_baseline_predicts_the_same(tmp_path):
    fit(MajorityLabel, tmp_path).save(tmp_path / "saved")
    method = build(MajorityLabel, tmp_path)
    method.load(tmp_path / "saved")
    assert method.predict([example()])[0].text == "4"


@pytest.mark.parametrize("content", [None, "{", "[]", '{"majority": "6"}', '{"majority": null}'])
def test_an_invalid_folder_is_reported(tmp_path, content):
    folder = tmp_path / "saved"
    folder.mkdir()
    if content is not None:
        (folder / "majority.json").write_text(content)
    with pytest.raises(ModelError, match=r"majority\.json"):
        build(MajorityLabel, tmp_path).load(folder)


def test_predicting_labels_needs_fit(tmp_path):
    with pytest.raises(RuntimeError, match="fit"):
        build(GlobalMajority, tmp_path).predict([example()])


LABELLED = {"LaMP-2", "LaMP-3"}
GENERATION = {"LaMP-4", "LaMP-5", "LaMP-6", "LaMP-7"}


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("global-majority", {"LaMP-1", *LABELLED}),
        ("majority-label", LABELLED),
        ("mean-score", {"LaMP-3"}),
        ("median-score", {"LaMP-3"}),
        ("knn-vote", LABELLED),
        ("knn-vote-dense", LABELLED),
        ("copy-input", GENERATION),
        ("copy-nearest-response", LABELLED | GENERATION),
        ("copy-nearest-response-dense", LABELLED | GENERATION),
        ("bm25", {"LaMP-1"} | LABELLED | GENERATION),
    ],
)
def test_each_method_applies_to_its_tasks(name, tasks):
    method = METHODS.get(name)
    lamp = [f"LaMP-{number}" for number in range(1, 8)]
    assert {task for task in lamp if method.applicable(TASKS.get(task))} == tasks
    assert method.uses_llm == (name == "bm25")
    assert method.uses_encoder == name.endswith("dense")
