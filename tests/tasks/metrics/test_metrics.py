"""Metrics compared with hand-computed values, scikit-learn and the libraries' corpus functions."""

import math
import sys

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import Prediction
from tasks.common.errors import ConfigError
from tasks.lamp import LaMP1, LaMP2, LaMP3, LaMP4
from tasks.longlamp import LongLaMPTopic
from tasks.metrics import create, find_withheld, names
from tasks.metrics.generation import Meteor
from tasks.metrics.metric import as_column
from tasks.scoring import Scoring


def value(name, task, predictions, references, **rules):
    metric = create(name, task(), Scoring(**rules))
    return metric.reduce(metric.rows(predictions, references))


def predicted(*texts):
    return [Prediction(str(position), text) for position, text in enumerate(texts)]


def golds(*texts):
    return {str(position): text for position, text in enumerate(texts)}


def test_accuracy_compares_stripped_texts_and_counts_failures_as_wrong():
    found = value("accuracy", LaMP2, [" comedy\n", "Comedy", "", None], ["comedy"] * 4)
    assert found == 0.25


def test_f1_averages_over_all_labels_of_the_task():
    # [1]: tp 1, fp 1, fn 0 → 2/3; [2]: tp 0, fp 0, fn 1 → 0.
    assert value("f1", LaMP1, ["[1]", "[1]"], ["[1]", "[2]"]) == pytest.approx(1 / 3)
    # One class absent from golds and answers: still in the mean, as 0.
    assert value("f1", LaMP1, ["[1]"], ["[1]"]) == 0.5


def test_f1_counts_an_unknown_answer_as_a_miss_only():
    # [1]: tp 1, fn 1 → 2/3; [2]: tp 1 → 1.
    found = value("f1", LaMP1, ["[1]", "neither", "[2]"], ["[1]", "[1]", "[2]"])
    assert found == pytest.approx((2 / 3 + 1) / 2)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(-1, 14)), min_size=1, max_size=40))
def test_f1_equals_scikit_learn(pairs):
    sklearn = pytest.importorskip("sklearn.metrics")
    labels = LaMP2.labels
    gold = [g for g, _ in pairs]
    answers = [p for _, p in pairs]
    texts = [labels[p] if p >= 0 else "no label" for p in answers]
    expected = sklearn.f1_score(
        gold, answers, labels=list(range(15)), average="macro", zero_division=0
    )
    assert value("f1", LaMP2, texts, [labels[g] for g in gold]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "gold", "lamp", "pplug"),
    [
        ("4", "5", 1, 1),
        (" 4.0 ", "5", 1, 1),
        ("7", "5", 2, 2),
        ("very good", "5", 4, 4),  # farthest end; no digit → 1
        ("very good", "3", 2, 2),  # tie → 5; no digit → 1
        ("very good", "1", 4, 0),
        ("score: 4!", "5", 4, 1),  # first digit
        ("nan", "2", 3, 1),
        ("inf", "2", 3, 1),
        ("1e999", "5", 4, 4),
        ("", "4", 3, 3),
        (None, "4", 3, 3),
        (None, "1", 4, 4),
    ],
)
def test_ordinal_errors(prediction, gold, lamp, pplug):
    for mode, error in (("lamp", lamp), ("pplug", pplug)):
        assert value("mae", LaMP3, [prediction], [gold], unparsed=mode) == error
        assert value("rmse", LaMP3, [prediction], [gold], unparsed=mode) == error


def test_rmse_is_the_root_of_the_mean_square():
    assert value("mae", LaMP3, ["1", "5", "3"], ["2", "3", "3"]) == pytest.approx(1)
    assert value("rmse", LaMP3, ["1", "5", "3"], ["2", "3", "3"]) == pytest.approx(math.sqrt(5 / 3))


def test_scores_carry_their_denominators():
    score = create("mae", LaMP3()).score(
        [*predicted("5", "bad", "4.5"), Prediction("3", None, error="out of memory")],
        golds("5", "5", "5", "5", "5"),
    )
    assert (score.n, score.n_failed, score.n_unparsed) == (5, 2, 2)
    assert score.value == pytest.approx((0 + 4 + 0.5 + 4 + 4) / 5)
    assert not score.higher_is_better


def test_a_task_scores_every_metric_under_the_given_rules():
    scores = LaMP3().score(predicted("4 stars"), golds("4"), Scoring(unparsed="pplug"))
    assert list(scores) == ["mae", "rmse"]
    assert scores["mae"].value == 0
    assert LaMP3().score(predicted("4 stars"), golds("4"))["mae"].value == 3
    generated = LaMP4().score(predicted("a b"), golds("a b"))
    assert list(generated) == list(LaMP4.metrics)
    assert generated["rouge1"].value == 1
    assert generated["chrf"].value == pytest.approx(100)


def test_predictions_for_unknown_or_repeated_ids_are_refused():
    metric = create("accuracy", LaMP1())
    with pytest.raises(ValueError, match="no gold"):
        metric.score(predicted("[1]", "[1]"), golds("[1]"))
    with pytest.raises(ValueError, match="two predictions"):
        metric.score(predicted("[1]") * 2, golds("[1]"))


def test_rouge_by_hand():
    # unigrams: 2 of 3 and 2 of 4 → P 2/3, R 1/2 → F 4/7; bigrams: 1 of 2, 1 of 3 → 2/5.
    prediction, reference = ["The CAT ran"], ["the cat sat down"]
    assert value("rouge1", LaMP4, prediction, reference) == pytest.approx(4 / 7)
    assert value("rouge2", LaMP4, prediction, reference) == pytest.approx(2 / 5)
    assert value("rougeL", LaMP4, prediction, reference) == pytest.approx(4 / 7)
    # No stemming; an empty or failed prediction is 0, not left out.
    assert value("rouge1", LaMP4, ["cats", "", None], ["cat", "cat", "cat"]) == 0


def test_lamp_aggregator_is_a_seeded_bootstrap_median_near_the_mean():
    metric = create("rouge1", LaMP4(), Scoring(aggregator="lamp"))
    rows = np.linspace(0, 1, 101)[:, None] ** 2
    assert metric.reduce(rows) == metric.reduce(rows)
    assert metric.reduce(rows) == pytest.approx(rows.mean(), abs=0.005)
    assert metric.reduce(rows) != rows.mean()
    assert metric.reduce(np.full((5, 1), 0.25)) == 0.25


TEXTS = st.text("abc d.", max_size=20)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8))
def test_bleu_and_chrf_equal_sacrebleu_on_the_corpus(pairs):
    texts, references = [p.strip() for p, _ in pairs], [r.strip() for _, r in pairs]
    bleu = sacrebleu.corpus_bleu(texts, [references]).score
    chrf = sacrebleu.corpus_chrf(texts, [references]).score
    assert value("bleu", LaMP4, texts, references) == pytest.approx(bleu)
    assert value("chrf", LaMP4, texts, references) == pytest.approx(chrf)


@pytest.mark.parametrize(
    ("task", "answers", "gold"),
    [
        (LaMP1, ["[1]", "[2]", None, "x"], ["[1]", "[1]", "[2]", "[2]"]),
        (LaMP3, ["1", "2", None, "x"], ["1", "5", "3", "2"]),
        (LaMP4, ["a b c d e", "a", None, "c d"], ["a b c d f", "a b", "c", "c e"]),
    ],
)
def test_rows_of_a_resample_reduce_to_the_metric_of_the_resample(task, answers, gold):
    sample = [0, 0, 3, 1, 2]
    for name in set(names(task())) - {"meteor"}:
        metric = create(name, task())
        rows = metric.rows(answers, gold)
        assert rows.dtype == np.float64
        assert rows.ndim == 2
        assert len(rows) == 4
        again = metric.rows([answers[i] for i in sample], [gold[i] for i in sample])
        assert metric.reduce(rows[sample]) == pytest.approx(metric.reduce(again))
        with pytest.raises(ValueError, match="no examples"):
            metric.reduce(metric.rows([], []))


def test_a_score_carries_its_rows_in_the_order_of_the_golds():
    scores = LaMP1().score([Prediction("b", "[2]")], {"a": "[1]", "b": "[2]"})
    assert scores["accuracy"].rows == ((0,), (1,))


@pytest.mark.parametrize("aggregator", ["mean", "lamp"])
@pytest.mark.parametrize("task", [LaMP1, LaMP3, LaMP4])
def test_a_score_is_its_rows_reduced(task, aggregator):
    rules = Scoring(aggregator=aggregator)
    reference = golds(*(task.labels[:2] or ["c d", "c d e f"]))
    for name, score in task().score(predicted("[1]", "c d x"), reference, rules).items():
        assert score.value == create(name, task(), rules).reduce(np.array(score.rows))


def test_unknown_and_unfit_metrics_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'accuracy'"):
        create("acuracy", LaMP1())
    with pytest.raises(ConfigError, match=r"unknown metric 'mae' for LaMP-4 .generation."):
        create("mae", LaMP4())


class NoSynonyms:
    def synsets(self, word):
        return []


class NotInstalled:
    def synsets(self, word):
        raise LookupError("wordnet")


def test_meteor_by_hand():
    metric = Meteor(wordnet=NoSynonyms())
    # All 4 words match in one chunk: 1 - .5 * (1/4)**3.
    rows = metric.rows(["the cat sat down", "", None], ["the cat sat down", "a", "b"])
    assert rows[:, 0].tolist() == pytest.approx([1 - 0.5 / 64, 0, 0])
    # "running" and "runs" share a stem, one chunk of one word: 1 - .5.
    assert metric.rows(["running"], ["runs"])[0, 0] == pytest.approx(0.5)


def test_meteor_survives_words_that_exhaust_the_stemmer():
    metric = Meteor(wordnet=NoSynonyms())

    def stem(word):
        if "yyy" in word:
            raise RecursionError
        return word

    metric._stem = stem
    word = "y" * 3000
    assert metric.rows([f"he{word} you"], [f"he{word} you"])[0, 0] > 0.9
    assert metric.stem(word) == word


def test_meteor_without_its_data_or_library_says_what_to_install(monkeypatch):
    with pytest.raises(ConfigError, match=r"nltk\.downloader wordnet"):
        Meteor(wordnet=NotInstalled()).check_available()
    monkeypatch.setitem(sys.modules, "nltk.corpus", None)
    with pytest.raises(ConfigError, match=r"pplug-bench\[meteor\]"):
        Meteor().rows(["a"], ["a"])
    assert Meteor().reduce(as_column([0.25, 0.75])) == 0.5  # stored rows need nothing


def test_a_metric_that_cannot_be_computed_is_withheld_unless_it_is_the_primary_one(monkeypatch):
    monkeypatch.setattr(Meteor, "_wordnet", NotInstalled())
    assert find_withheld(LongLaMPTopic()) == {
        "meteor": "METEOR needs NLTK's WordNet data. Run `python -m nltk.downloader wordnet`, or "
        "drop METEOR from the metrics"
    }
    assert find_withheld(LaMP4()) == {}
    scores = LongLaMPTopic().score([Prediction("a", "one two")], {"a": "one three"})
    assert {name: score.value for name, score in scores.items()} == {"rouge1": 0.5, "rougeL": 0.5}

    class MeteorFirst(LongLaMPTopic):
        metrics = ("meteor", "rouge1")

    with pytest.raises(ConfigError, match="METEOR needs NLTK"):
        find_withheld(MeteorFirst())


def test_evaluate_metrics_work_offline_and_agree(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    evaluate = pytest.importorskip("evaluate")
    from tasks.metrics.local import LocalMetric

    cases = [
        (LaMP1, ["[1]", "x"], ["[1]", "[2]"], ("accuracy", "f1")),
        (LaMP3, ["4", "x"], ["5", "2"], ("mae", "rmse")),
        (LaMP4, ["a b c d", ""], ["a b c e", "b"], ("rouge1", "rougeL", "bleu", "chrf")),
    ]
    for task, texts, references, wanted in cases:
        for name in wanted:
            metric = LocalMetric(create(name, task()))
            assert isinstance(metric, evaluate.Metric)
            expected = {name: value(name, task, texts, references)}
            assert metric.compute(predictions=texts, references=references) == expected
            metric.add_batch(predictions=texts, references=references)
            assert metric.compute() == expected
    assert list(metric.features) == ["predictions", "references"]
