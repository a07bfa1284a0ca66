"""The frozen LLM's feedback: what each behaviour alone in the prompt does for the answer."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from methods.cache.journal import Journal
from methods.core.runtime import Runtime
from methods.retrieval import Retriever
from tasks.common.files import content_key
from tasks.example import Behavior, Example
from tasks.metrics.utility import utilities

KEY_DIGITS = 32


@dataclass(frozen=True)
class Judged:
    """A query with its candidates, as the first retriever ranks them, and what each is worth.

    Attributes:
        candidates: L behaviours of the example's history, best first.
        utilities: L values in [0, 1], see `tasks.metrics.utility`.
    """

    example: Example
    candidates: tuple[Behavior, ...]
    utilities: tuple[float, ...]


class Feedback:
    """Asks the LLM each query with each candidate behaviour alone in the official prompt.

    Shared by every method that learns from it: an answer is kept in the runtime's cache under the
    LLM's identity (decoding included) and its budgets, by the prompt, which is all of task, query
    and candidate that the LLM sees. Golds and metric come after: another gold asks nothing again.

    Attributes:
        journal: how many answers were computed here, and how many lines were found damaged.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        llm, task = runtime.llm, runtime.task
        key = content_key([llm.identity, runtime.max_input_tokens, task.max_new_tokens])
        self.journal = Journal(
            runtime.cache / "feedback" / key / "answers.jsonl", progress=runtime.progress
        )

    def judge(
        self, pairs: Iterable[tuple[Example, str]], retriever: Retriever, most: int
    ) -> list[Judged]:
        """The first `most` behaviours that `retriever` ranks, judged for each (example, gold).

        Raises:
            DataError: the task can't make a prompt of an example.
            StorageError: the cache can't be written; what is answered so far is kept.
        """
        asked = list(pairs)
        retriever.prepare([example for example, _ in asked])
        candidates = [retriever.top(example, most) for example, _ in asked]
        texts = iter(
            self._answers(
                [
                    self._prompt(example, candidate)
                    for (example, _), some in zip(asked, candidates, strict=True)
                    for candidate in some
                ]
            )
        )
        return [
            Judged(
                example,
                some,
                tuple(
                    utilities(self.runtime.task, [next(texts) for _ in some], [gold] * len(some))
                ),
            )
            for (example, gold), some in zip(asked, candidates, strict=True)
        ]

    def _prompt(self, example: Example, candidate: Behavior) -> str:
        llm = self.runtime.llm
        budget = self.runtime.max_input_tokens - llm.prompt_overhead
        return self.runtime.task.personalized_prompt(example, [candidate], llm.tokens, budget)

    def _answers(self, prompts: Sequence[str]) -> list[str]:
        """One answer per prompt, in order; asked longest first, which pads least."""
        distinct = sorted(set(prompts), key=lambda prompt: (-len(prompt), prompt))

        def ask(rows: Sequence[int]) -> list[str]:
            generations = self.runtime.llm.generate(
                [distinct[row] for row in rows],
                max_new_tokens=self.runtime.task.max_new_tokens,
                max_input_tokens=self.runtime.max_input_tokens,
            )
            return [generation.text for generation in generations]

        keys = [_key(prompt) for prompt in distinct]
        found = dict(zip(distinct, self.journal.get(keys, ask, "LLM feedback"), strict=True))
        return [found[prompt] for prompt in prompts]


def _key(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_DIGITS]
