"""Words in every script: what ROUGE, BLEU and BM25 see, and what verify says where they don't."""

import pytest

from methods.retrieval.bm25 import BM25Retriever
from tasks import Kind
from tasks.common.errors import ConfigError
from tasks.common.words import count_letters, split_words
from tasks.definition import check_definition
from tasks.lamp import LaMP4, LaMP7
from tasks.metrics import create
from tests.methods.helpers import behavior, example

WORDS = {
    "english": ("Don't stop, Café_Müller 5.0", ["don", "t", "stop", "café", "müller", "5", "0"]),
    "cyrillic": ("Привет, мир! Ёлка", ["привет", "мир", "ёлка"]),
    "hindi": ("नमस्ते दुनिया, क्षेत्र", ["नमस्ते", "दुनिया", "क्षेत्र"]),
    "chinese": ("今天很好。Hello世界 ２０２４", [*"今天很好", "hello", *"世界", "2024"]),
    "japanese": ("こんにちは、カナ", [*"こんにちはカナ"]),
    "thai": ("ที่นี่ดี", ["ที่", "นี่", "ดี"]),
    "persian": ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
    "korean": ("한국어 문장", ["한국어", "문장"]),
    "german": ("STRASSE Straße", ["strasse", "strasse"]),
    "two spellings of é": ("e\u0301t\u00e9", ["été"]),
    "emoji": (
        "😀👍🏽!👨\u200d👩\u200d👧🇩🇪🇫🇷❤\ufe0f❤ ★ 1\ufe0f\u20e3",
        ["😀", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "🇫🇷", "❤", "❤", "★", "1\u20e3"],
    ),
    "nothing": ("… —!\u200b", []),
}


@pytest.mark.parametrize(("text", "words"), WORDS.values(), ids=WORDS)
def test_words(text, words):
    assert split_words(text) == words


def test_letters_that_rouge_drops():
    assert count_letters("Hello, 5!") == (6, 0)
    assert count_letters("Café") == (4, 1)
    assert count_letters("Привет 5") == (7, 6)
    assert count_letters("😀 …") == (1, 1)


class World(LaMP4):
    """Headlines in any language."""

    name = "world"
    words = "unicode"


TEXTS = {
    "cyrillic": "Новый рекорд по лёгкой атлетике",
    "chinese": "今天天气很好我们去公园",
    "hindi": "आज मौसम बहुत अच्छा है",
    "emoji": "😀😀🎉🇩🇪👍🏽",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
def test_a_right_answer_scores_1(name, text):
    assert create(name, World()).rows([text], [text]).tolist() == [[1.0]]
    assert create(name, LaMP4()).rows([text], [text]).tolist() == [[0.0]]  # as LaMP's scripts do


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_a_right_answer_scores_100(name, text):
    metric = create(name, World())
    assert metric.reduce(metric.rows([text], [text])) == pytest.approx(100)


def test_half_of_a_chinese_answer():
    # 今天 of 今天很好: precision 1, recall 1/2, F 2/3.
    (row,) = create("rouge1", World()).rows(["今天"], ["今天很好"]).tolist()
    assert row == pytest.approx([2 / 3])


def test_bm25_reads_chinese():
    asked = example(
        query="今天天气", history=[behavior("a", "今天天气很好"), behavior("b", "我们吃苹果"),
                                behavior("c", "音乐会开始了")]
    )  # fmt: skip
    assert BM25Retriever("unicode").rank(asked)[0] == 0
    assert not BM25Retriever().scores(asked).any()  # a sentence is one word


def test_tables_show_chrf_beside_rouge_where_words_are_unicode():
    assert World.headline_metrics() == ("rouge1", "chrf")
    assert LaMP4.headline_metrics() == ("rouge1",)
    assert World.identity() == ["world", 1, "unicode"]
    assert LaMP4.identity() == ["LaMP-4", 1]


def test_an_unknown_rule_is_refused():
    class Wrong(LaMP7):
        name = "wrong"
        words = "chinese"
        kind = Kind.GENERATION

    with pytest.raises(ConfigError, match="`words` is 'chinese'"):
        check_definition(Wrong)
