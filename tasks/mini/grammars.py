"""The six tasks of LaMP-mini; there is no LaMP-6, whose official files contain no texts."""

from typing import Any

from tasks.mini.citations import Citations
from tasks.mini.grammar import TaskGrammar
from tasks.mini.headlines import Headlines
from tasks.mini.movies import Movies
from tasks.mini.papers import Papers
from tasks.mini.reviews import Reviews
from tasks.mini.tweets import Tweets

GRAMMARS: tuple[TaskGrammar[Any, Any], ...] = (
    Citations(), Movies(), Reviews(), Headlines(), Papers(), Tweets(),
)  # fmt: skip
