"""PAG: a summary of the user's profile in the prompt (arXiv 2310.20081; methods.md §3e)."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, field_validator

from methods.core.method import Cost
from methods.core.runtime import Runtime
from methods.models.config import LLMConfig
from methods.prompt.method import (
    FEWER_FIT,
    NOTHING_FITS,
    Prompt,
    RetrievalConfig,
    RetrievalMethod,
    fit_behaviors,
    is_plain,
)
from methods.prompt.summary import ProfileSummarizer
from methods.retrieval import Retriever
from tasks.budget import QUERY_FIRST
from tasks.example import Behavior, Example
from tasks.templates.profile_prompt import INPUT_SHARES

SUMMARY = "{summary}"
LEAD = f"Profile of the user: {SUMMARY} . "
EMPTY, UNWRITTEN = "empty history: plain input", "the summary is empty"
NO_SUMMARY, NO_BEHAVIORS = "no room for the summary", "no room for behaviours next to the summary"
SHORTEST = 8
"""Tokens; a summary that would be cut to fewer is left out."""
JOINT = 2
"""Tokens set aside for each joint of two texts; where it takes more, the official prompt gives way.
"""
BYTES_PER_TOKEN = 4
"""A stored summary is counted as int32 token ids."""


class PAGConfig(RetrievalConfig):
    """Options of PAG.

    Attributes:
        k: retrieved behaviours next to the summary; 0: the summary alone.
        summarizer: the LLM that writes summaries; None: the frozen LLM itself.
        question: the summarizer's question; None: one that depends on the task's kind
            (`methods.prompt.summary.QUESTIONS`).
        summary_of: "user": the question follows the newest items; "query": it precedes the official
            profile prompt of the newest items, and each query gets its own summary.
        lead: the words around {summary} in the prompt.
        summary_items: number of newest behaviours to summarize.
        summary_input_tokens: budget for the summarizer's input.
        summary_tokens: budget for a summary, both when it is written and in the prompt.
    """

    k: NonNegativeInt = 1
    summarizer: LLMConfig | None = None
    question: str | None = None
    summary_of: Literal["user", "query"] = "user"
    lead: str = LEAD
    summary_items: PositiveInt = 10
    summary_input_tokens: PositiveInt = 512
    summary_tokens: PositiveInt = 64

    @field_validator("lead")
    @classmethod
    def _check_lead(cls, lead: str) -> str:
        if lead.count(SUMMARY) != 1:
            raise ValueError(f"must contain {SUMMARY} exactly once, in place of the summary")
        return lead


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """The prompt of one example.

    Attributes:
        text: the summary, where it fits, then the official prompt.
        behaviors: the behaviours in the prompt, in prompt order.
        note: what was left out, for the prediction's note; None: nothing.
    """

    text: str
    behaviors: tuple[Behavior, ...] = ()
    note: str | None = None


class PAG(RetrievalMethod[PAGConfig]):
    """The user's summary before the official profile prompt of the `k` best behaviours by BM25.

    The summary never cuts an input that fits the budget alone. It takes up to `summary_tokens` of
    the rest (under the rule "query-first", half of it at most), provided that the official prompt
    still contains the whole input. If both don't fit, the behaviours are dropped. If that isn't
    enough, the summary is dropped instead, which leaves the official prompt of the retrieval
    methods. A note reports each case.
    """

    name = "pag"
    seeded = False

    def __init__(self, config: PAGConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._layouts: dict[str, tuple[Example, Layout]] = {}

    def open_retriever(self) -> Retriever:
        from methods.retrieval.bm25 import BM25Retriever

        return BM25Retriever(self.task.words)

    @cached_property
    def summarizer(self) -> ProfileSummarizer:
        """Writes the summaries."""
        return ProfileSummarizer(
            self.runtime,
            self.config.summarizer,
            question=self.config.question,
            of_query=self.config.summary_of == "query",
            items=self.config.summary_items,
            max_input_tokens=self.config.summary_input_tokens,
            max_new_tokens=self.config.summary_tokens,
        )

    def prepare(self, examples: Sequence[Example]) -> None:
        if self.config.k:
            super().prepare(examples)
        summaries = self.summarizer.summaries(examples)
        self._layouts = {}
        for example, summary in zip(examples, summaries, strict=True):
            self._layouts[example.id] = example, self._lay_out(example, summary)

    def behaviors(self, example: Example) -> Sequence[Behavior]:
        return self._layout(example).behaviors

    def prompt(self, example: Example) -> str:
        return self._layout(example).text

    def prompts(self, examples: Sequence[Example]) -> list[Prompt]:
        return [
            dataclasses.replace(prompt, note=self._layout(example).note)
            for example, prompt in zip(examples, super().prompts(examples), strict=True)
        ]

    def cost(self) -> Cost:
        """The budget of a user's summary, `summary_tokens` int32 token ids: an upper bound.

        A summary of each query is written when the query arrives, so nothing is stored for a user.
        """
        stored = self.config.summary_tokens if self.config.summary_of == "user" else 0
        return Cost(bytes_per_user=float(BYTES_PER_TOKEN * stored))

    def _layout(self, example: Example) -> Layout:
        prepared, layout = self._layouts.get(example.id, (None, None))
        if layout is None or prepared is not example:
            self.prepare([example])
            return self._layouts[example.id][1]
        return layout

    def _lay_out(self, example: Example, summary: str) -> Layout:
        k = self.config.k
        if not summary:
            return self._write_prompt(example, "", k, UNWRITTEN if example.history else EMPTY)
        end = example.input[len(example.input) // 2 :]  # LaMP-1 inserts items into the first half
        for kept in dict.fromkeys((k, 0)):
            spare = 0
            while lead := self._lead(example, summary, kept, spare):
                note = None if kept == k else NO_BEHAVIORS
                layout = self._write_prompt(example, lead, kept, note)
                excess = self.runtime.llm.tokens.count(layout.text) - self.budget
                if excess <= 0:
                    break
                spare += excess  # the joint takes more than was set aside: the summary gives way
            if lead and layout.text.endswith(end) and bool(layout.behaviors) == bool(kept):
                return layout
        return self._write_prompt(example, "", k, NO_SUMMARY)

    def _lead(self, example: Example, summary: str, k: int, spare: int) -> str:
        """The lead with the summary, cut to fit an official prompt of `k` behaviours; "": no room.

        `spare` tokens are left free in addition.

        Under the rule "lamp", an official prompt with behaviours reserves only a share of its
        length for the input; under "query-first", the behaviours share the rest with the summary.
        """
        tokens = self.runtime.llm.tokens
        needed = tokens.count(example.input)
        if not k:
            rest = needed
        elif self.runtime.budget_rule == QUERY_FIRST:
            rest = needed + max(0, self.budget - needed) // 2
        else:
            rest = int(needed / INPUT_SHARES[0]) + 1
        words = tokens.count(self.config.lead.replace(SUMMARY, ""))
        room = self.budget - spare - rest - words - 2 * JOINT
        cut = tokens.truncate(summary, min(room, self.config.summary_tokens))
        fits = room >= SHORTEST or cut == summary
        return self.config.lead.replace(SUMMARY, cut) if fits else ""

    def _write_prompt(self, example: Example, lead: str, k: int, note: str | None) -> Layout:
        tokens = self.runtime.llm.tokens
        behaviors = tuple(self.retriever.top(example, k)) if k else ()
        room = self.budget - (tokens.count(lead) + JOINT if lead else 0)
        while True:
            prompt, shown = fit_behaviors(self.runtime, example, behaviors, room, tokens)
            excess = tokens.count(lead + prompt) - self.budget
            if excess <= 0 or room <= 0:
                break
            room -= excess
        if behaviors and is_plain(example, prompt):
            return Layout(lead + prompt, note=note or NOTHING_FITS)
        fewer = FEWER_FIT if len(shown) < len(behaviors) else None
        return Layout(lead + prompt, tuple(shown), note or fewer)


class DensePAG(PAG):
    """The same with the `k` nearest behaviours by the suite's sentence encoder."""

    name = "pag-dense"
    uses_encoder = True

    def open_retriever(self) -> Retriever:
        from methods.retrieval.dense import DenseRetriever

        return DenseRetriever(self.runtime.embeddings)
