"""Re-ranking by the frozen LLM: how much a behaviour raises the query's likelihood."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from methods.cache.journal import Journal
from methods.core.runtime import Runtime
from methods.models.batching import BatchSize, in_batches
from methods.retrieval.retriever import Retriever
from tasks.common.errors import ModelError
from tasks.common.files import content_key
from tasks.example import Behavior, Example

KEY_DIGITS = 32
Pair = tuple[str, str]


class QueryLikelihoodReranker(Retriever):
    """The first retriever's best behaviours, re-ranked by the LLM's log-likelihood of the query.

    gain(d) = log p(query | d) - log p(query), over the query's tokens and its end of sequence,
    where d is the task's official item prompt. log p(query) and the number of tokens are the same
    for all candidates of a query, so the code leaves them out. Behaviours beyond `depth` follow in
    the first retriever's order, which also breaks ties. Item and query each get half of the prompt
    budget.

    Likelihoods are computed in batches and cached for each (item, query).

    Attributes:
        journal: counts the likelihoods computed by this object and the damaged lines.
    """

    def __init__(self, first: Retriever, depth: int, runtime: Runtime) -> None:
        self.first, self.depth, self.runtime = first, depth, runtime
        self.half = runtime.max_input_tokens // 2
        key = content_key([runtime.local_llm.identity, self.half])
        path = Path(runtime.cache, "query-likelihoods", key, "values.jsonl")
        self.journal = Journal(path, runtime.progress)
        self._known: dict[Pair, float] = {}

    def prepare(self, examples: Sequence[Example]) -> None:
        self.first.prepare(examples)
        pairs = [
            self._pair(example, example.history[i])
            for example in examples
            for i in self.first.rank(example)[: self.depth]
        ]
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        if new:
            keys = [content_key(pair, KEY_DIGITS) for pair in new]
            values = self.journal.get(
                keys, lambda rows: self._likelihoods([new[row] for row in rows]), "query likelihood"
            )
            self._known |= dict(zip(new, values, strict=True))

    def rank(self, example: Example) -> list[int]:
        order = self.first.rank(example)
        head, tail = order[: self.depth], order[self.depth :]
        pairs = {i: self._pair(example, example.history[i]) for i in head}
        if not all(pair in self._known for pair in pairs.values()):
            self.prepare([example])
        return sorted(head, key=lambda i: -self._known[pairs[i]]) + tail

    def _pair(self, example: Example, behavior: Behavior) -> Pair:
        task, tokens = self.runtime.task, self.runtime.local_llm.tokens
        return task.demonstration(behavior, None, tokens), example.query

    @torch.no_grad()
    def _likelihoods(self, pairs: Sequence[Pair]) -> list[float]:
        """Log-likelihood in nats of each pair's query after its item."""
        llm = self.runtime.local_llm

        def score(rows: Sequence[int]) -> list[float]:
            nll, _ = llm.loss(
                [pairs[row][0] for row in rows],
                [pairs[row][1] for row in rows],
                max_input_tokens=self.half,
                max_response_tokens=self.half,
            )
            return (-nll).tolist()

        lengths = [llm.tokens.count(item) + llm.tokens.count(query) for item, query in pairs]
        found = in_batches(lengths, BatchSize(llm.config.batch_size), score)
        if not all(math.isfinite(value) for value in found):
            raise ModelError(
                "computes likelihoods that are not finite",
                file=llm.name,
                hint='Set `dtype = "float32"` for the LLM, or fetch its weights again',
            )
        return found
