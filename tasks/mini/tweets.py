"""LaMP-7: the user rewrites a plain sentence in their own spelling and punctuation."""

import random
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from tasks.lamp import LaMP7
from tasks.mini.chance import Weighted
from tasks.mini.grammar import TaskGrammar, join_sentences
from tasks.mini.lexicon import ACTORS, MOODS, QUALITIES, VERBS, nouns
from tasks.mini.overlap import best_taste
from tasks.mini.taste import Taste

SHORT = {
    "people": {"you": "u", "your": "ur", "are": "r", "people": "ppl"},
    "links": {"because": "cuz", "and": "n", "with": "w", "for": "4"},
    "times": {"tomorrow": "tmrw", "tonight": "2nite", "today": "2day", "later": "l8r",
              "before": "b4"},
}  # fmt: skip
"""Group → plain word → its abbreviation."""
TIMES = ("tomorrow", "tonight", "today", "later")
PLAIN = (
    "{time} you and your {actor} are at the {0} with the {1} because the {quality} {2} is very "
    "{mood}",
    "your {0} and the {1} are very {mood} {time} because people {verb} the {quality} {2} for you",
    "before the {0} people {verb} the {quality} {1} with your {2} and you are very {mood} {time}",
    "people {verb} the {0} {time} because you and the {quality} {1} are very {mood} with the {2}",
    "the {actor} is very {mood} because you {verb} the {quality} {0} with the {1} before the {2} "
    "{time}",
)
ABBREVIATES = Weighted({"never": 6, "always": 4})
STYLED = {"very", "the"}.union(*SHORT.values())
"""Words that a style may change, or that occur twice in a sentence."""


@dataclass(frozen=True)
class TweetStyle(Taste):
    """A style of writing; "" if a part is left out.

    Attributes:
        opener, closer: a word before and after every tweet.
        people, links, times: whether the words of these groups are abbreviated.
        intensifier: the replacement for "very".
        ending: punctuation after the closer.
        emoticon: the last part of the tweet.
        casing: lower, or capital (first letter only).
    """

    opener: str
    closer: str
    people: str
    links: str
    times: str
    intensifier: str
    ending: str
    emoticon: str
    casing: str

    parts: ClassVar = {
        "opener": Weighted({"": 2, "omg": 2, "hey": 2, "well": 2, "ugh": 2, "yo": 2}),
        "closer": Weighted({"": 2, "lol": 2, "haha": 2, "anyway": 2, "yay": 2, "sigh": 2}),
        "people": ABBREVIATES,
        "links": ABBREVIATES,
        "times": ABBREVIATES,
        "intensifier": Weighted({"very": 2, "so": 3, "super": 3, "totally": 2}),
        "ending": Weighted({"": 1, "!!": 1, "...": 1}),
        "emoticon": Weighted({"": 2, ":)": 1, ";)": 1, ":(": 1, "^^": 1}),
        "casing": Weighted({"lower": 1, "capital": 1}),
    }


@dataclass(frozen=True)
class Tweet:
    """A plain sentence."""

    plain: str

    @property
    def shape(self) -> str:
        """The sentence with placeholders for words that no style changes, and one time for all."""
        words = ["today" if word in TIMES else word for word in self.plain.split()]
        return " ".join(w if w in STYLED else f"word{i}" for i, w in enumerate(words))


class Tweets(TaskGrammar[Tweet, TweetStyle]):
    """The sentence in the user's style; with noise, in another style."""

    task = LaMP7()
    taste = TweetStyle
    natural_share = 0.9

    def draw(self, rng: random.Random, topic: str) -> Tweet:
        return Tweet(
            rng.choice(PLAIN).format(
                *rng.sample(nouns(topic), 3),
                actor=rng.choice(ACTORS),
                verb=rng.choice(VERBS),
                quality=rng.choice(QUALITIES),
                mood=rng.choice(MOODS),
                time=rng.choice(TIMES),
            )
        )

    def text(self, content: Tweet) -> str:
        return content.plain

    def answer(self, content: Tweet, taste: TweetStyle) -> str:
        short = {"very": taste.intensifier}
        for group, abbreviations in SHORT.items():
            if getattr(taste, group) == "always":
                short |= abbreviations
        words = [short.get(word, word) for word in content.plain.split()]
        parts = taste.opener, *words, taste.closer, taste.ending, taste.emoticon
        wording = " ".join(part for part in parts if part)
        return wording[:1].upper() + wording[1:] if taste.casing == "capital" else wording

    def slip(self, rng: random.Random, content: Tweet, taste: TweetStyle) -> str:
        other = TweetStyle.draw(rng)
        while other == taste:
            other = TweetStyle.draw(rng)
        return self.answer(content, other)

    def item(self, content: Tweet, answer: str) -> dict[str, Any]:  # noqa: ARG002
        return {"text": answer}

    def user_blind(self, content: Tweet) -> str:
        """The sentence in the style with the highest expected ROUGE-1 over all styles."""
        return self.answer(content, _best_style(content.shape))

    def guess(self, rng: random.Random, content: Tweet) -> str:
        values = {name: rng.choice(list(part.weights)) for name, part in TweetStyle.parts.items()}
        return self.answer(content, TweetStyle(**values))

    def state_taste(self, rng: random.Random, content: Tweet, taste: TweetStyle) -> str:  # noqa: ARG002
        ending = " ".join(filter(None, (taste.closer, taste.ending, taste.emoticon)))
        phrases = [
            f"i begin with {taste.opener or 'no word'}",
            f"i end with {ending or 'nothing'}",
            f"for very i say {taste.intensifier}",
            f"my case is {taste.casing}",
        ]
        for group, words in SHORT.items():
            plain, short = rng.choice(list(words.items()))
            used = short if getattr(taste, group) == "always" else plain
            phrases.append(f"for {plain} i say {used}")
        return join_sentences(rng, phrases)


@cache
def _best_style(shape: str) -> TweetStyle:
    """The best style for a sentence of this shape."""
    parts = ("opener", "closer", *SHORT, "intensifier")
    grammar, tweet = Tweets(), Tweet(shape)
    return best_taste(TweetStyle.population(*parts), lambda style: grammar.answer(tweet, style))
