"""Summaries of user profiles by a local LLM, written once per history and stored on disk."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from methods.cache.journal import Journal
from methods.core.runtime import Runtime
from methods.models.config import LLMConfig
from tasks.common.files import content_key
from tasks.example import Behavior, Example, newest_first
from tasks.task import Kind

if TYPE_CHECKING:
    from methods.models.interface import LLM

VERSION = 1
"""Increase it to invalidate all stored summaries."""
QUESTIONS = {
    Kind.CLASSIFICATION: (
        "Above are choices of one user. Say in one or two sentences what this user is interested "
        "in and which answers the user prefers. Summary:"
    ),
    Kind.ORDINAL: (
        "Above are ratings of one user. Say in one or two sentences what this user likes and "
        "dislikes, and how high or low the user rates. Summary:"
    ),
    Kind.GENERATION: (
        "Above are texts of one user. Say in one or two sentences what this user writes about and "
        "in which style. Summary:"
    ),
}
"""The question after the user's items, by the task's kind."""


class ProfileSummarizer:
    """Histories → summaries.

    The LLM reads the newest behaviours as the task's official item prompts, oldest first, each cut
    to an equal share of the budget, then the question.

    Args:
        summarizer: the LLM that writes; None: the frozen LLM that answers.
        question: replaces QUESTIONS.
        of_query: the LLM reads the question, then the official profile prompt of the newest
            behaviours, which includes the input; each query then has its own summary.
        items: maximum number of behaviours to read.
        max_input_tokens: of the LLM's prompt, special tokens included.
        max_new_tokens: of a summary, unless the LLM's own decoding sets a budget.
    """

    def __init__(
        self,
        runtime: Runtime,
        summarizer: LLMConfig | None,
        *,
        question: str | None = None,
        of_query: bool = False,
        items: int,
        max_input_tokens: int,
        max_new_tokens: int,
    ) -> None:
        self.runtime, self.config = runtime, summarizer
        self.question = QUESTIONS[runtime.task.kind] if question is None else question
        self.of_query = of_query
        self.items = items
        self.max_input_tokens, self.max_new_tokens = max_input_tokens, max_new_tokens

    def summaries(self, examples: Sequence[Example]) -> list[str]:
        """One for each example; "" where the history is empty.

        Stored summaries are reused. Histories with equal newest items share one, with `of_query`
        only for equal inputs.
        """
        prompts = [self.prompt(example) if example.history else None for example in examples]
        wanted = {self._key(prompt): prompt for prompt in prompts if prompt is not None}
        texts = list(wanted.values())
        written = self.store.get(
            list(wanted),
            lambda rows: self._write([texts[row] for row in rows]),
            "profile summaries",
        )
        found = dict(zip(wanted, written, strict=True))
        return ["" if prompt is None else found[self._key(prompt)] for prompt in prompts]

    def prompt(self, example: Example) -> str:
        """The LLM's prompt to summarize a non-empty history."""
        tokens, question = self.llm.tokens, self.question
        newest = [example.history[i] for i in newest_first(example.history)[: self.items]]
        budget = self.max_input_tokens - self.llm.prompt_overhead
        room = budget - tokens.count(question)
        # A joint may take more tokens than are set aside for it: the items give way, not the end.
        while True:
            prompt = self._assemble(example, newest, room)
            excess = tokens.count(prompt) - budget
            if excess <= 0 or room <= 0:
                return prompt
            room -= excess

    def _assemble(self, example: Example, newest: Sequence[Behavior], room: int) -> str:
        """The prompt whose items (and input, with `of_query`) take about `room` tokens."""
        tokens, task, question = self.llm.tokens, self.runtime.task, self.question
        if self.of_query:
            rule = self.runtime.budget_rule
            profile = task.personalized_prompt(example, newest, tokens, room - 1, rule)
            return f"{question} {profile}"
        share = room // len(newest) - tokens.count("\n") - 1
        items = []
        for behavior in reversed(newest):
            try:
                items.append(task.demonstration(behavior, share, tokens))
            except ValueError:  # its label or title alone exceeds the share
                continue
        return "\n".join([*items, question])

    @cached_property
    def llm(self) -> "LLM":
        """The LLM that writes the summaries."""
        if self.config is None:
            return self.runtime.llm
        from methods.models.opening import open_llm

        return open_llm(
            self.config, task=self.runtime.task, train=None, seed=0, cache=self.runtime.cache
        )

    @cached_property
    def store(self) -> Journal:
        """The stored summaries."""
        about = [VERSION, self.llm.identity, self.max_input_tokens, self.max_new_tokens]
        folder = self.runtime.cache / "summaries"
        return Journal(folder / f"{content_key(about, length=32)}.jsonl", self.runtime.progress)

    def _write(self, prompts: list[str]) -> list[str]:
        from methods.models.generation import read_texts

        answers = self.llm.generate(
            prompts, max_new_tokens=self.max_new_tokens, max_input_tokens=self.max_input_tokens
        )
        return read_texts(answers, self.llm.name)

    @staticmethod
    def _key(prompt: str) -> str:
        return content_key(prompt, length=32)
