"""LaMP-3: a review expresses an opinion; the user's scale and liking of traits set the score."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

from tasks.lamp import LaMP3
from tasks.mini.chance import Weighted
from tasks.mini.grammar import TaskGrammar, join_sentences
from tasks.mini.lexicon import ACTORS, OPINIONS, QUALITIES, TRAITS, VERBS, nouns
from tasks.mini.taste import Taste

SCALES = {
    "fair": (1, 2, 3, 4, 5),
    "lenient": (2, 3, 4, 5, 5),
    "strict": (1, 1, 2, 3, 4),
    "generous": (3, 4, 5, 5, 5),
    "harsh": (1, 1, 1, 2, 3),
    "mild": (2, 3, 3, 3, 4),
    "extreme": (1, 1, 3, 5, 5),
}
"""Scale → scores for opinions 1 to 5."""
LIKING = {"likes": 1, "tolerates": 0, "dislikes": -1}
TEXTS = (
    "the {0} i got with the {1} from my {7} is {5} and the {4} {2} is {6}{8} , so we {9} the {3}",
    "my {7} and i {9} the {4} {0} for the {1} and it is {5} , the {2} on the {3} is {6}{8}",
    "what a {5} {0} , even the {4} {1} is {6}{8} , my {7} had to {9} it with a {2} and a {3}",
    "we {9} this {4} {0} and the {1} with the {7} and find it {5}{8} , its {2} is a {6} {3}",
)


@dataclass(frozen=True)
class ReviewTaste(Taste):
    """How opinions map to scores, and which traits raise or lower the score by one point."""

    scale: str
    loud: str
    heavy: str
    sweet: str
    plain: str

    parts: ClassVar = {
        "scale": Weighted(
            {"fair": 6, "lenient": 4, "strict": 4, "generous": 3, "harsh": 3, "mild": 3,
             "extreme": 3}
        ),
        **{trait: Weighted({"likes": 1, "tolerates": 1, "dislikes": 1}) for trait in TRAITS},
    }  # fmt: skip


@dataclass(frozen=True)
class Review:
    """A text, its opinion (1 to 5), and the trait it mentions, if any."""

    text: str
    opinion: int
    trait: str | None


class Reviews(TaskGrammar[Review, ReviewTaste]):
    """The score follows from the scale, shifted by the trait; noise shifts it by one more point."""

    task = LaMP3()
    taste = ReviewTaste
    natural_share = 0.8

    def draw(self, rng: random.Random, topic: str) -> Review:
        opinion = rng.choice(sorted(OPINIONS))
        trait = rng.choice((*TRAITS, *(None for _ in TRAITS)))
        text = rng.choice(TEXTS).format(
            *rng.sample(nouns(topic), 4),
            rng.choice(QUALITIES),
            *rng.sample(OPINIONS[opinion], 2),
            rng.choice(ACTORS),
            "" if trait is None else f" and rather {trait}",
            rng.choice(VERBS),
        )
        return Review(text, opinion, trait)

    def text(self, content: Review) -> str:
        return content.text

    def answer(self, content: Review, taste: ReviewTaste) -> str:
        shift = 0 if content.trait is None else LIKING[getattr(taste, content.trait)]
        return _score(content.opinion, taste.scale, shift)

    def slip(self, rng: random.Random, content: Review, taste: ReviewTaste) -> str:
        right = int(self.answer(content, taste))
        return str(rng.choice([score for score in (right - 1, right + 1) if 1 <= score <= 5]))

    def item(self, content: Review, answer: str) -> dict[str, Any]:
        return {"text": content.text, "score": answer}

    def abridge(self, content: Review, answer: str) -> str:
        """A word that expresses the opinion, the trait if any, and the score."""
        words = content.text.split()
        opinion = next(word for word in words if word in OPINIONS[content.opinion])
        return " ".join(part for part in (opinion, content.trait, answer) if part)

    def is_clear(self, content: Review) -> bool:
        """Whether the score depends only on the scale."""
        return content.trait is None

    def user_blind(self, content: Review) -> str:
        """The median score over all scales and likings, which minimizes the expected error."""
        scores = sorted(_scores(content))
        return scores[(len(scores) - 1) // 2]

    def guess(self, rng: random.Random, content: Review) -> str:  # noqa: ARG002
        return rng.choice(self.task.labels)

    def state_taste(self, rng: random.Random, content: Review, taste: ReviewTaste) -> str:
        phrases = [rng.choice(("i am a {} judge", "my scores are {}")).format(taste.scale)]
        if content.trait is not None:
            verb = {"likes": "like", "tolerates": "accept", "dislikes": "dislike"}
            phrases.append(f"i {verb[getattr(taste, content.trait)]} what is {content.trait}")
        return join_sentences(rng, phrases)


def _score(opinion: int, scale: str, shift: int) -> str:
    return str(min(max(SCALES[scale][opinion - 1] + shift, 1), 5))


def _scores(content: Review) -> Iterator[str]:
    """The scores that the population gives, each repeated according to its weight."""
    likings = (
        {"tolerates": 1} if content.trait is None else ReviewTaste.parts[content.trait].weights
    )
    scales = ReviewTaste.parts["scale"].weights
    for (scale, weight), (liking, times) in product(scales.items(), likings.items()):
        for _ in range(weight * times):
            yield _score(content.opinion, scale, LIKING[liking])
