"""The grammar of the sample: a user's habits, and the texts that follow from them."""

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from tasks.lamp import LaMP2, LaMP3, LaMP7

TOPICS = {
    "garden": "roses soil compost seeds orchard pruning hedges tulips greenhouse irrigation",
    "kitchen": "bread spices oven noodles broth pastry skillet yeast marinade dumplings",
    "travel": "train harbour museum passport island hostel glacier ferry market desert",
    "music": "violin chorus rhythm melody concert drums opera tempo harmony guitar",
    "health": "sleep vitamins clinic fever exercise allergy nurse recovery pulse therapy",
    "robots": "sensor gripper motor planner drone battery controller camera lidar firmware",
    "markets": "prices shares inflation bonds export wages budget lender tariff profit",
    "oceans": "coral tide whales plankton reef current salmon lagoon seabed trench",
}
THEMES = {
    "sci-fi": "spaceship android galaxy", "based on a book": "novel chapter author",
    "comedy": "jokes mishap prank", "action": "chase explosion rescue",
    "twist ending": "reveal secret impostor", "dystopia": "regime surveillance ruins",
    "dark comedy": "funeral irony blackmail", "classic": "timeless studio monochrome",
    "psychology": "memory obsession dream", "fantasy": "dragon wizard quest",
    "romance": "wedding letters kiss", "thought-provoking": "question meaning doubt",
    "social commentary": "class protest injustice", "violence": "fight revenge gang",
    "true story": "biography witness history",
}  # fmt: skip
OPINIONS = {
    1: "terrible broken useless awful", 2: "weak disappointing flimsy dull",
    3: "average fine ordinary passable", 4: "good solid pleasant reliable",
    5: "excellent perfect wonderful superb",
}  # fmt: skip
STYLES = ("How {0} changes {1}", "Why {0} needs {1}: a note", "{0} and {1}?", "On {1} with {0}")
SIGNATURES = ("haha", "so true", "#mood", "ugh", "lol ok", "blessed")
ACTIONS = ["shapes", "follows", "improves", "limits", "explains", "supports", "meets", "replaces"]
MANNERS = ["slowly", "often", "rarely", "quietly", "together", "early", "again", "clearly"]
LINKS = ["while", "because", "although", "until", "whenever", "before"]
FILLERS = ["the", "and", *MANNERS]
RATES = ["weekly", "seasonal", "local", "modern", "simple", "hidden", "early", "costly"]


@dataclass(frozen=True)
class Habits:
    """What is personal about a user.

    Attributes:
        topics: the two topics that the user writes about.
        tags: all movie tags, the favourite first.
        offset: added to the score of every review.
        style: template of the user's titles.
        signature: last words of the user's tweets.
    """

    topics: tuple[str, ...]
    tags: tuple[str, ...]
    offset: int
    style: str
    signature: str

    @classmethod
    def draw(cls, rng: random.Random) -> "Habits":
        """Draw the habits of a new user."""
        return cls(
            topics=tuple(rng.sample(sorted(TOPICS), 2)),
            tags=tuple(rng.sample(sorted(THEMES), len(THEMES))),
            offset=rng.choice((-1, 0, 0, 1)),
            style=rng.choice(STYLES),
            signature=rng.choice(SIGNATURES),
        )


@dataclass(frozen=True)
class SampleAct:
    """Something that a user wrote, as a query with its gold and as a profile item without id."""

    input: str
    gold: str
    item: dict[str, Any]


class SampleGrammar(ABC):
    """Draws the texts of one task."""

    folder: str

    @abstractmethod
    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        """Draw the next act of a user with these habits."""


class SampleCitations(SampleGrammar):
    """LaMP-1: an author cites the paper on one of their own topics."""

    folder = "LaMP_1"

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        own = rng.choice(habits.topics)
        other = rng.choice([topic for topic in sorted(TOPICS) if topic not in habits.topics])
        title = draw_title(rng, rng.choice((own, rng.choice(sorted(TOPICS)))))
        cited = rng.randrange(2)
        references = [draw_title(rng, other), draw_title(rng, other)]
        references[cited] = draw_title(rng, own)
        return SampleAct(
            input=(
                f'For an author who has written the paper with the title "{title}", which '
                "reference is related? Just answer with [1] or [2] without explanation. "
                f'[1]: "{references[0]}" [2]: "{references[1]}"'
            ),
            gold=f"[{cited + 1}]",
            item={"title": title, "abstract": draw_sentence(rng, own)},
        )


class SampleMovies(SampleGrammar):
    """LaMP-2: of a film's two themes, the user names the one they prefer."""

    folder = LaMP2.folder

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        tags = rng.sample(sorted(THEMES), 2)
        words = [word for tag in tags for word in rng.sample(THEMES[tag].split(), 2)]
        rng.shuffle(words)
        setting = draw_sentence(rng, rng.choice(sorted(TOPICS)))
        description = f"A {words[0]} and a {words[1]}, a {words[2]} and a {words[3]}; {setting}"
        tag = min(tags, key=habits.tags.index)
        return SampleAct(
            input=f"{LaMP2.instruction} {description}",
            gold=tag,
            item={"description": description, "tag": tag},
        )


class SampleReviews(SampleGrammar):
    """LaMP-3: the text expresses an opinion, and the user's offset shifts the score."""

    folder = LaMP3.folder

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        opinion = rng.choice((1, 2, 3, 3, 4, 4, 5, 5))
        first, second = rng.sample(OPINIONS[opinion].split(), 2)
        text = f"A {first} thing and {second} too. {draw_sentence(rng, rng.choice(habits.topics))}"
        score = str(min(max(opinion + habits.offset, 1), 5))
        return SampleAct(
            input=f"{LaMP3.instruction} {text}", gold=score, item={"text": text, "score": score}
        )


class SampleTitles(SampleGrammar):
    """LaMP-4, 5 and 6: the title puts two words of the text into the user's style."""

    def __init__(self, folder: str, instruction: str, content: str) -> None:
        self.folder, self.instruction, self.content = folder, instruction, content

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        topic = rng.choice(habits.topics)
        first, second = rng.sample(TOPICS[topic].split(), 2)
        text = f"The {first} {rng.choice(ACTIONS)} the {second}. {draw_sentence(rng, topic)}"
        title = habits.style.format(first, second)
        return SampleAct(
            input=f"{self.instruction} {text}",
            gold=title,
            item={self.content: text, "title": title},
        )


class SampleTweets(SampleGrammar):
    """LaMP-7: the user shortens a plain sentence and adds a signature."""

    folder = LaMP7.folder

    def draw(self, rng: random.Random, habits: Habits) -> SampleAct:
        plain = draw_sentence(rng, rng.choice(habits.topics))
        words = [word for word in plain.rstrip(".").lower().split() if word not in FILLERS]
        tweet = f"{' '.join(words)} {habits.signature}"
        return SampleAct(input=f"{LaMP7.instruction} {plain}", gold=tweet, item={"text": tweet})


def draw_title(rng: random.Random, topic: str) -> str:
    """Draw the title of a paper on a topic."""
    first, second = rng.sample(TOPICS[topic].split(), 2)
    rates, action = rng.sample(RATES, 2), rng.choice(ACTIONS)
    return f"{rates[0].capitalize()} {first} {action} {rates[1]} {second}"


def draw_sentence(rng: random.Random, topic: str) -> str:
    """Draw a sentence of 17 words, five of which are nouns of the topic."""
    nouns = rng.sample(TOPICS[topic].split(), 5)
    acts, rates = rng.sample(ACTIONS, 2), rng.sample(RATES, 3)
    manners, link = rng.sample(MANNERS, 2), rng.choice(LINKS)
    return (
        f"The {rates[0]} {nouns[0]} {manners[0]} {acts[0]} the {nouns[1]} {link} {rates[1]} "
        f"{nouns[2]} {manners[1]} {acts[1]} {rates[2]} {nouns[3]} and {nouns[4]}."
    )
