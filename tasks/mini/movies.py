"""LaMP-2: three tags fit a film; the user's ranking of kinds of film decides which one is given."""

import random
from dataclasses import dataclass
from typing import Any, Self

from tasks.lamp import LaMP2
from tasks.mini.chance import Weighted
from tasks.mini.grammar import TaskGrammar, join_sentences
from tasks.mini.lexicon import ACTORS, QUALITIES, TAG_FAMILIES, VERBS, cues, nouns
from tasks.mini.taste import Taste

POPULARITY = Weighted({"laughter": 10, "thrill": 8, "wonder": 6, "heart": 5, "thought": 4})
FAMILY = {tag: family for family, tags in TAG_FAMILIES.items() for tag in tags}
SCENES = (
    "in the {0} there is {4} , {5} and {6} while the {7} {8} the {1} , the {2} and the {9} {3}",
    "the {9} {7} {8} the {0} near the {1} , then {4} leads to {5} and {6} by the {2} and the {3}",
    "{4} and {5} meet {6} when the {7} {8} the {9} {0} , the {1} , the {2} and the {3}",
    "between the {0} and the {9} {1} the {7} finds {4} , {5} and {6} and {8} the {2} and the {3}",
)

PREFERENCES = ("i like {} more than {}", "i prefer {} to {}")


@dataclass(frozen=True)
class MovieTaste(Taste):
    """A ranking of kinds of film, the favourite first; tags of the same kind rank equally."""

    order: tuple[str, ...]

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(POPULARITY.order(rng))


@dataclass(frozen=True)
class Movie:
    """A description and the three tags that fit it, each of a different kind."""

    description: str
    tags: tuple[str, ...]


class Movies(TaskGrammar[Movie, MovieTaste]):
    """The user gives the fitting tag of their favourite kind; with noise, one of the other two."""

    task = LaMP2()
    taste = MovieTaste
    natural_share = 0.9

    def draw(self, rng: random.Random, topic: str) -> Movie:
        families = rng.sample(sorted(TAG_FAMILIES), 3)
        tags = tuple(rng.choice(TAG_FAMILIES[family]) for family in families)
        description = rng.choice(SCENES).format(
            *rng.sample(nouns(topic), 4),
            *(rng.choice(cues(tag)) for tag in tags),
            rng.choice(ACTORS),
            f"{rng.choice(VERBS)}s",
            rng.choice(QUALITIES),
        )
        return Movie(description, tags)

    def text(self, content: Movie) -> str:
        return content.description

    def answer(self, content: Movie, taste: MovieTaste) -> str:
        return min(content.tags, key=lambda tag: taste.order.index(FAMILY[tag]))

    def slip(self, rng: random.Random, content: Movie, taste: MovieTaste) -> str:
        right = self.answer(content, taste)
        return rng.choice([tag for tag in content.tags if tag != right])

    def item(self, content: Movie, answer: str) -> dict[str, Any]:
        return {"description": content.description, "tag": answer}

    def user_blind(self, content: Movie) -> str:
        """The fitting tag of the most popular kind, by Luce's axiom the most likely choice."""
        kind = POPULARITY.most_common([FAMILY[tag] for tag in content.tags])
        return next(tag for tag in content.tags if FAMILY[tag] == kind)

    def guess(self, rng: random.Random, content: Movie) -> str:  # noqa: ARG002
        return rng.choice(self.task.labels)

    def state_taste(self, rng: random.Random, content: Movie, taste: MovieTaste) -> str:
        """Prefers the answer to the other tags; 1 in 4 times, names tags of the same kinds."""
        return self._state_preferences(rng, content, taste, by_kind=rng.randrange(4) == 0)

    def hint_at_taste(self, rng: random.Random, content: Movie, taste: MovieTaste) -> str:
        """Names tags of the same kinds, which give the answer only along with the description."""
        return self._state_preferences(rng, content, taste, by_kind=True)

    def _state_preferences(
        self, rng: random.Random, content: Movie, taste: MovieTaste, *, by_kind: bool
    ) -> str:
        best = self.answer(content, taste)
        phrases = []
        for other in content.tags:
            if other != best:
                named = [
                    rng.choice(TAG_FAMILIES[FAMILY[t]]) if by_kind else t for t in (best, other)
                ]
                phrases.append(rng.choice(PREFERENCES).format(*named))
        return join_sentences(rng, phrases)
