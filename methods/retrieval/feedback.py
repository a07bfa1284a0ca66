"""The frozen LLM's feedback: the utility of each behaviour as the only one in the prompt."""

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
    """A query with its candidates and their utilities.

    Attributes:
        candidates: L behaviours of the example's history, as the first retriever ranks them.
        utilities: L values in [0, 1], see `tasks.metrics.utility`.
    """

    example: Example
    candidates: tuple[Behavior, ...]
    utilities: tuple[float, ...]


class Feedback:
    """The LLM's answers to each query with one candidate behaviour in the official prompt.

    Answers are cached by prompt under the LLM's identity (decoding included) and budgets, and
    shared by all methods. They are scored afterwards, so other golds or metrics reuse them.

    Attributes:
        journal: counts the answers computed by this object and the damaged lines.
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
        """Judge the top `most` behaviours by `retriever` for each (example, gold).

        Raises:
            DataError: the task can't write the prompt of an example.
            StorageError: the cache can't be written; earlier answers are kept.
        """
        queries = list(pairs)
        retriever.prepare([example for example, _ in queries])
        candidates = [retriever.top(example, most) for example, _ in queries]
        texts = iter(
            self._answers(
                [
                    self._prompt(example, candidate)
                    for (example, _), some in zip(queries, candidates, strict=True)
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
            for (example, gold), some in zip(queries, candidates, strict=True)
        ]

    def _prompt(self, example: Example, candidate: Behavior) -> str:
        llm = self.runtime.llm
        budget = self.runtime.max_input_tokens - llm.prompt_overhead
        return self.runtime.task.personalized_prompt(
            example, [candidate], llm.tokens, budget, self.runtime.budget_rule
        )

    def _answers(self, prompts: Sequence[str]) -> list[str]:
        """One answer per prompt, in order; the longest run first, to minimize padding."""
        from methods.models.generation import read_texts

        distinct = sorted(set(prompts), key=lambda prompt: (-len(prompt), prompt))

        def ask(rows: Sequence[int]) -> list[str]:
            generations = self.runtime.ask([distinct[row] for row in rows])
            return read_texts(generations, self.runtime.llm.name)

        keys = [_key(prompt) for prompt in distinct]
        found = dict(zip(distinct, self.journal.get(keys, ask, "LLM feedback"), strict=True))
        return [found[prompt] for prompt in prompts]


def _key(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_DIGITS]
