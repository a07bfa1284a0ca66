"""The grammars of the sample: one for each task of LaMP, LongLaMP and LaMP-QA."""

from tasks.lamp import LaMP4, LaMP5, LaMP6
from tasks.sample.grammar import (
    SampleCitations,
    SampleGrammar,
    SampleMovies,
    SampleReviews,
    SampleTitles,
    SampleTweets,
)
from tasks.sample.long_texts import LONG_GRAMMARS
from tasks.sample.questions import QUESTION_GRAMMARS
from tasks.task import Task

GRAMMARS: tuple[SampleGrammar, ...] = (
    SampleCitations(),
    SampleMovies(),
    SampleReviews(),
    SampleTitles(LaMP4.folder, LaMP4.instruction, "text"),
    SampleTitles(LaMP5.folder, LaMP5.instruction, "abstract"),
    SampleTitles(LaMP6.folder, LaMP6.instruction, "text"),
    SampleTweets(),
    *LONG_GRAMMARS,
    *QUESTION_GRAMMARS,
)


def has_sample(task: type[Task]) -> bool:
    """Whether the sample holds data of `task`."""
    return task.folder in {grammar.folder for grammar in GRAMMARS}
