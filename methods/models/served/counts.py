"""What a served LLM's answers have used, and the caps on it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from methods.models.served.answers import Answer, ServerError


@dataclass
class Counts:
    """Of the answers given so far by one view of a served LLM.

    Attributes:
        answers: all; `reused` of them came from the journal, without a request.
        prompt_tokens, new_tokens: of the others, as the server counts them.
        empty_at_limit: answers without a text whose token budget was used up.
        too_long: prompts that the server's context didn't hold, so without an answer.
        models: the names that the server gave its model.
    """

    answers: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    empty_at_limit: int = 0
    too_long: int = 0
    models: set[str] = field(default_factory=set)

    def add(self, answer: Answer, *, reused: bool) -> None:
        self.answers += 1
        self.empty_at_limit += answer.is_cut_empty
        if answer.model:
            self.models.add(answer.model)
        if reused:
            self.reused += 1
        else:
            self.prompt_tokens += answer.prompt_tokens or 0
            self.new_tokens += answer.new_tokens or 0

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "models": sorted(self.models)}


class Budget:
    """Refuses requests that could exceed a cap, counting those in flight at their most.

    Args:
        answers: all that are kept for this LLM.
    """

    def __init__(
        self, answers: Iterable[Answer], max_requests: int | None, max_tokens: int | None
    ) -> None:
        self.max_requests, self.max_tokens = max_requests, max_tokens
        kept = [answer.tokens for answer in answers]
        self.requests, self.tokens = len(kept), sum(kept)

    def reserve(self, tokens: int) -> None:
        """Before a request that may take so many tokens. Raises ServerError beyond a cap."""
        for name, used, limit in (
            ("max_requests", self.requests + 1, self.max_requests),
            ("max_tokens_total", self.tokens + tokens, self.max_tokens),
        ):
            if limit is not None and used > limit:
                raise ServerError(
                    f"the next request would exceed served.{name} = {limit}",
                    hint="Raise it and run the same command again: what was answered is kept",
                )
        self.requests += 1
        self.tokens += tokens

    def settle(self, reserved: int, answer: Answer | None) -> None:
        """After its reply; None: there was no answer, so nothing counts."""
        self.requests -= answer is None
        self.tokens += (0 if answer is None else answer.tokens) - reserved
