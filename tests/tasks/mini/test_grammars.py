"""Users' answers and user-blind answers, checked by hand and by brute force."""

import random
from dataclasses import replace

import pytest
from rouge_score.rouge_scorer import RougeScorer

from tasks.mini import lexicon
from tasks.mini.chance import Weighted, happens, stream
from tasks.mini.citations import Citation, Citations, CitationTaste
from tasks.mini.headlines import Headlines, HeadlineStyle
from tasks.mini.movies import Movie, Movies, MovieTaste
from tasks.mini.overlap import argmax_expected_rouge
from tasks.mini.papers import Papers, PaperStyle
from tasks.mini.reviews import Review, Reviews, ReviewTaste
from tasks.mini.titles import Story
from tasks.mini.tweets import Tweet, Tweets, TweetStyle
from tests.tasks.mini.support import BY_NAME, NAMES

WORDS = {
    "actor": "mayor", "verb": "open", "object": "lagoon", "quality": "young", "month": "june",
    "tool": "polls", "aspect": "growth", "setting": "reef",
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "favoured", "length", "casing", "title"),
    [
        ("plain", "", "short", "lower", "mayor opens lagoon"),
        (
            "question",
            "finally",
            "long",
            "lower",
            "finally - will young mayor open lagoon in june ?",
        ),
        ("subtitle", "breaking", "short", "title", "Breaking - Lagoon : The Story Of Mayor"),
    ],
)
def test_headlines(form, favoured, length, casing, title):
    assert (
        Headlines().answer(Story("", WORDS), HeadlineStyle(form, favoured, length, casing)) == title
    )


def test_paper_titles():
    style = PaperStyle("question", "towards", "long", "lower")
    expected = "towards - can polls explain lagoon growth in a young reef ?"
    assert Papers().answer(Story("", WORDS), style) == expected


def test_tweets():
    tweet = Tweet(
        "your reef and the tide are very calm today because people paint the wave for you"
    )
    plain = TweetStyle("", "", "never", "never", "never", "very", "", "", "lower")
    assert Tweets().answer(tweet, plain) == tweet.plain
    own = TweetStyle("omg", "lol", "always", "never", "always", "so", "!!", ":)", "capital")
    expected = "Omg ur reef and the tide r so calm 2day because ppl paint the wave for u lol !! :)"
    assert Tweets().answer(tweet, own) == expected


def test_movies():
    movie = Movie("…", ("romance", "dark comedy", "action"))
    taste = MovieTaste(("heart", "thought", "wonder", "thrill", "laughter"))
    assert Movies().answer(movie, taste) == "romance"
    assert Movies().user_blind(movie) == "dark comedy"
    slips = {Movies().slip(random.Random(i), movie, taste) for i in range(20)}
    assert slips == {"dark comedy", "action"}


def test_reviews():
    likes_loud = ReviewTaste("strict", "likes", "tolerates", "dislikes", "tolerates")
    answer = Reviews().answer
    assert [answer(Review("", o, None), likes_loud) for o in range(1, 6)] == list("11234")
    assert answer(Review("", 4, "loud"), likes_loud) == "4"
    assert answer(Review("", 4, "heavy"), likes_loud) == "3"
    assert answer(Review("", 1, "sweet"), likes_loud) == "1"
    # 4 → fair 4, lenient 5, strict 3, generous 5, harsh 2, mild 3, extreme 5: the median is 4
    assert Reviews().user_blind(Review("", 4, None)) == "4"
    assert Reviews().user_blind(Review("", 1, None)) == "1"


def test_citations():
    paper = Citation(
        "bare",
        "ocean",
        ("a : polls", "b : proofs"),
        ("ocean", "ocean"),
        ("survey", "theory"),
        1,
        "we",
    )
    answer, blind = Citations().answer, Citations().user_blind
    assert answer(paper, CitationTaste("survey")) == "[1]"
    assert answer(paper, CitationTaste("theory")) == "[2]"
    assert blind(paper) == "[1]"  # surveys are more popular
    assert blind(replace(paper, schools=("theory", "survey"))) == "[2]"
    assert blind(replace(paper, topics=("money", "ocean"))) == "[2]"  # another field
    assert blind(replace(paper, topics=("ocean", "money"))) == "[1]"
    assert Citations().item(paper, "[2]") == {"title": "bare : proofs", "abstract": "we"}


def test_the_wrong_reference_is_from_a_school_followed_elsewhere():
    own, elsewhere = CitationTaste("theory"), [CitationTaste("history"), CitationTaste("theory")]
    rng = stream("references")
    papers = [Citations().draw_for(rng, "money", own, elsewhere) for _ in range(200)]
    assert {tuple(sorted(paper.schools)) for paper in papers} == {("history", "theory")}
    strange = sum(set(paper.topics) != {"money"} for paper in papers)
    assert strange == pytest.approx(60, abs=20)


def test_argmax_expected_rouge_by_hand():
    # Against "a b" (weight 2) and "c" (3): "a b" .4, "c" .6, "a c" (2 * 1/2 + 3 * 2/3) / 5 = .6
    assert argmax_expected_rouge(["a b", "c", "a c"], [2, 3, 0]) == 1
    assert (
        argmax_expected_rouge(["a b", "c", "a b c"], [2, 3, 0]) == 2
    )  # (2 * 4/5 + 3 * 2/4) / 5 = .62


@pytest.mark.parametrize("name", ["LaMP-4", "LaMP-5"])
def test_no_title_beats_the_user_blind_one(name):
    grammar, scorer = BY_NAME[name], RougeScorer(["rouge1"], use_stemmer=False)
    story = grammar.draw(stream("test"), "ocean")
    population = grammar.taste.population("form", "favoured", "length")
    assert len(population) == 4 * 5 * 2

    def expected(prediction):
        return sum(
            weight * scorer.score(grammar.answer(story, style), prediction)["rouge1"].fmeasure
            for style, weight in population
        )

    best = max(expected(grammar.answer(story, style)) for style, _ in population)
    assert expected(grammar.user_blind(story)) == pytest.approx(best)


def test_no_wording_of_a_sample_beats_the_user_blind_tweet():
    grammar, scorer, rng = (
        BY_NAME["LaMP-7"],
        RougeScorer(["rouge1"], use_stemmer=False),
        stream("t"),
    )
    tweet = grammar.draw(rng, "ocean")
    population = [grammar.answer(tweet, TweetStyle.draw(rng)) for _ in range(300)]

    def expected(prediction):
        return sum(scorer.score(own, prediction)["rouge1"].fmeasure for own in population)

    rivals = sorted(map(expected, population[:60]))
    assert expected(grammar.user_blind(tweet)) > rivals[-1] - 2


@pytest.mark.parametrize("name", NAMES)
def test_a_small_language_of_new_sentences(name):
    """Texts have 6 to 32 words, answers at most 14 (tweets 25), and no text occurs twice."""
    grammar, rng = BY_NAME[name], stream("language")
    texts, answers = [], []
    for _ in range(1000):
        taste = grammar.taste.draw(rng)
        content = grammar.draw_for(rng, "music", taste, ())
        texts.append(grammar.text(content))
        answers.append(grammar.answer(content, taste))
        assert grammar.task.query(grammar.input(content))
    assert all(6 <= len(text.split()) <= 32 for text in texts)
    assert all(len(answer.split()) <= (25 if name == "LaMP-7" else 14) for answer in answers)
    assert len(set(texts)) > 980
    assert len({word for text in texts for word in text.split()}) < 400


def test_a_word_occurs_in_one_list():
    lists = [
        *(lexicon.nouns(topic) for topic in lexicon.TOPICS), lexicon.ACTORS, lexicon.QUALITIES,
        lexicon.VERBS, lexicon.MONTHS, lexicon.TRAITS, lexicon.ASPECTS, lexicon.MOODS,
        *lexicon.OPINIONS.values(), *lexicon.SCHOOLS.values(),
        *({word for cue in lexicon.cues(tag) for word in cue.split()[1:] if len(word) > 3}
          for tag in lexicon.CUES),
    ]  # fmt: skip
    words = [word for each in lists for word in each]
    assert sorted({word for word in words if words.count(word) > 1}) == []
    assert {tag for tags in lexicon.TAG_FAMILIES.values() for tag in tags} == set(lexicon.CUES)


def test_chance():
    coin = Weighted({"a": 3, "b": 1})
    rng = stream("coin", 1)
    assert sum(coin.draw(rng) == "a" for _ in range(4000)) == pytest.approx(3000, abs=120)
    assert sum(coin.order(rng)[0] == "a" for _ in range(4000)) == pytest.approx(3000, abs=120)
    assert coin.most_common() == "a"
    assert not any(happens(rng, 0.0) for _ in range(100))
    assert all(happens(rng, 1.0) for _ in range(100))
    assert stream("ab", "c").random() != stream("a", "bc").random()
