"""The seven LaMP tasks, with their official prompts (methods.md §3a).

Source: Salemi et al., "LaMP: When Large Language Models Meet Personalization" (ACL 2024) and its
released code. LaMP-2 is the movie tagging version, not the deprecated news categorization.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from tasks.common.seeds import Seeds
from tasks.example import Behavior, Example
from tasks.task import Kind, Task, Tokenizer
from tasks.templates.lamp_task import FormError, LaMPTask

MOVIE_TAGS = (
    "sci-fi", "based on a book", "comedy", "action", "twist ending", "dystopia", "dark comedy",
    "classic", "psychology", "fantasy", "romance", "thought-provoking", "social commentary",
    "violence", "true story",
)  # fmt: skip

OWN_FILES = "Begin every input with the task's official instruction, as `bench show` prints it"
GENERATION_METRICS = ("rouge1", "rougeL", "rouge2", "bleu", "chrf")


class LaMP1(LaMPTask):
    """Personalized citation identification: which of two papers an author would cite.

    An item prompt shows only a paper's title, so the title is the `content`; abstracts are indexed
    and encoded. A paper in the history answers no citation question, so `response` is None.
    """

    name = "LaMP-1"
    folder = "LaMP_1"
    form_hint = OWN_FILES
    kind = Kind.CLASSIFICATION
    labels = ("[1]", "[2]")
    metrics = ("accuracy", "f1")
    instruction = "Write an abstract for this title:"
    corpus_template = "{title} {abstract}"
    content_field = "title"
    item_template = '"{content}"'

    # Titles may contain quotes, so the prompt is parsed by the template's words, not by its quotes.
    form: ClassVar[re.Pattern[str]] = re.compile(
        r'For an author who has written the paper with the title "(?P<title>.*)", which reference '
        r"is related\? Just answer with \[1\] or \[2\] without explanation\. "
        r'\[1\]: "(?P<first>.*)" \[2\]: "(?P<second>.*)"\s*',
        re.DOTALL,
    )

    def query(self, input: str) -> str:
        """Both candidate titles, joined by a space."""
        parts = self._parts(input)
        return f"{parts['first']} {parts['second']}"

    def subject(self, input: str) -> str:
        """The author's own title."""
        return self._parts(input)["title"]

    def kept_query(self, example: Example, kept: int) -> str:
        """What the first `kept` characters of the input hold of both candidate titles."""
        parts = self._parts(example.input)
        spans = [parts.span(name) for name in ("first", "second")]
        return " ".join(example.input[start : min(end, kept)] for start, end in spans).rstrip()

    def _parts(self, input: str) -> re.Match[str]:
        if match := self.form.fullmatch(input):
            return match
        raise FormError(
            "the input is not a LaMP-1 prompt: expected 'For an author who has written the paper "
            'with the title "…", which reference is related? … [1]: "…" [2]: "…"\'',
            self.form_hint,
        )

    def assemble(self, items: list[str], input: str) -> str:
        """The items as further titles, right after the first word `title` of the input."""
        before, title, after = input.partition("title")
        return f"{before}{title}, and {', and '.join(items)}{after}"

    def reserve(self, tokenizer: Tokenizer) -> int:  # noqa: ARG002
        return 0

    def training_pairs(self, example: Example) -> list[tuple[str, str]]:
        """Title → abstract, since a history contains no citation choices (methods.md §3b)."""
        return [
            (
                f"{self.instruction} {behavior.content}",
                behavior.text.removeprefix(f"{behavior.content} "),
            )
            for behavior in example.history
        ]


class LaMP2(LaMPTask):
    """Personalized movie tagging with 15 tags."""

    name = "LaMP-2"
    folder = "LaMP_2/new"
    kind = Kind.CLASSIFICATION
    labels = MOVIE_TAGS
    metrics = ("accuracy", "f1")
    lead = "Which tag does this movie relate to"
    instruction = (
        "Which tag does this movie relate to among the following tags? Just answer with the tag "
        f"name without further explanation. tags: [{', '.join(MOVIE_TAGS)}] description:"
    )
    marker = "description:"
    corpus_template = "{description}"
    content_field = "description"
    response_field = "tag"
    history_has_labels = True
    item_template = 'the tag for the movie: "{content}" is "{response}"'
    form_hint = (
        "Put the movie tagging files under LaMP_2/new (`bench data download LaMP-2`); plain LaMP_2 "
        "on the official site is the deprecated news categorization"
    )


class LaMP3(LaMPTask):
    """Personalized product rating, 1 to 5."""

    name = "LaMP-3"
    folder = "LaMP_3"
    form_hint = OWN_FILES
    kind = Kind.ORDINAL
    labels = ("1", "2", "3", "4", "5")
    metrics = ("mae", "rmse")
    max_new_tokens = 10
    lead = "What is the score of the following review"
    instruction = (
        "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, "
        "3, 4, or 5 without further explanation. review:"
    )
    marker = "review:"
    response_field = "score"
    history_has_labels = True
    item_template = '{response} is the score for "{content}"'


class LaMP4(LaMPTask):
    """Personalized news headline generation."""

    name = "LaMP-4"
    folder = "LaMP_4"
    form_hint = OWN_FILES
    kind = Kind.GENERATION
    metrics = GENERATION_METRICS
    response_in_text = True
    lead = "Generate a headline for the following article"
    instruction = f"{lead}:"
    marker = "article:"
    corpus_template = "{title} {text}"
    response_field = "title"
    item_template = '"{response}" is the title for "{content}"'


class LaMP5(LaMPTask):
    """Personalized scholarly title generation."""

    name = "LaMP-5"
    folder = "LaMP_5"
    form_hint = OWN_FILES
    kind = Kind.GENERATION
    metrics = GENERATION_METRICS
    response_in_text = True
    lead = "Generate a title for the following abstract"
    instruction = f"{lead} of a paper:"
    marker = "paper:"
    corpus_template = "{title} {abstract}"
    content_field = "abstract"
    response_field = "title"
    item_template = '"{response}" is a title for "{content}"'
    ending = " . Following the given patterns "
    reserved_words = "Following the given patterns"


class LaMP6(LaMPTask):
    """Personalized email subject generation. The official files hold only ids (Avocado corpus)."""

    name = "LaMP-6"
    folder = "LaMP_6"
    kind = Kind.GENERATION
    metrics = GENERATION_METRICS
    lead = "Generate a subject for the following email"
    instruction = f"{lead}:"
    marker = ":"
    response_field = "title"
    item_template = '"{response}" is the title for "{content}"'
    form_hint = (
        "The official files hold only ids of emails: build the task's files from the Avocado "
        "corpus (LDC2015T03) with LaMP's create_avocado_dataset.py"
    )


class LaMP7(LaMPTask):
    """Personalized tweet paraphrasing. Tweets in a history have no response."""

    name = "LaMP-7"
    folder = "LaMP_7"
    form_hint = OWN_FILES
    kind = Kind.GENERATION
    metrics = GENERATION_METRICS
    lead = "Paraphrase the following tweet"
    instruction = f"{lead} without any explanation before or after it:"
    marker = ":"
    item_template = '"{content}"'
    ending = "  are written by a person. Following the given patterns "
    reserved_words = "are written by user. Following the given patterns"

    def training_pairs(self, example: Example) -> list[tuple[str, str]]:
        """`Complete the following tweet: …` → the rest, cut after 10–25% of the words (§3b).

        The cut is seeded by the tweet's text, so it is the same in every run.
        """
        return [_split_tweet(behavior) for behavior in example.history if behavior.content.split()]


def _split_tweet(behavior: Behavior) -> tuple[str, str]:
    words: Sequence[str] = behavior.content.split()
    drawn = Seeds.root("LaMP-7", "completion").seed(behavior.content) / 2**32
    cut = int(len(words) * (0.1 + 0.15 * drawn))
    beginning = " ".join(words[:cut])
    return f"Complete the following tweet: {beginning}", " ".join(words[cut:])


ALL: tuple[type[LaMPTask], ...] = (LaMP1, LaMP2, LaMP3, LaMP4, LaMP5, LaMP6, LaMP7)


def is_official(task: Task) -> bool:
    """Whether `task` is one of LaMP's own, whose files the official site publishes."""
    return type(task) in ALL
