"""What a server replied, read from its JSON."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Self

from tasks.common.errors import ModelError

TOO_LONG = re.compile(
    r"context.?(length|size|window)|maximum model length|max_model_len|prompt is too long"
    r"|longer than the (maximum|model)|reduce the length",
    re.IGNORECASE,
)
"""How servers word that prompt and answer exceed the model's positions."""
REFUSALS = (400, 413, 422)
"""Statuses of a request that the server read and refused."""


class ServerError(ModelError):
    """A server can't be reached, or refuses; requests that it answered are kept."""


class TooLongError(ServerError):
    """One request exceeds the server's context: only that prediction fails."""


class GarbageError(ValueError):
    """A reply with status 200 that is not what the protocol says."""


@dataclass(frozen=True)
class Answer:
    """One answer, as it is kept in the journal.

    Attributes:
        text: without surrounding white space.
        finish: why generation ended, in the server's words; "length" is the token budget.
        prompt_tokens, new_tokens: as the server counts them; None where it doesn't say.
        model: the model's name as the server gives it.
    """

    text: str
    finish: str | None
    prompt_tokens: int | None
    new_tokens: int | None
    model: str | None

    @classmethod
    def from_reply(cls, reply: Any) -> Self:
        """Read a reply of /completions or /chat/completions. Raises GarbageError."""
        try:
            (choice,) = reply["choices"]
            text = choice["message"]["content"] if "message" in choice else choice["text"]
            usage = reply.get("usage") or {}
            found = cls(
                text=("" if text is None else text).strip(),  # null: nothing but reasoning
                finish=choice.get("finish_reason"),
                prompt_tokens=_count(usage.get("prompt_tokens")),
                new_tokens=_count(usage.get("completion_tokens")),
                model=reply.get("model"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise GarbageError(f"{type(error).__name__}: {error}") from error
        return found

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `to_json` made."""
        return cls(**value)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def is_cut_empty(self) -> bool:
        """Whether the token budget was used up before any text: a reasoning model, usually."""
        return not self.text and self.finish == "length"

    @property
    def tokens(self) -> int:
        """Tokens read and generated, as far as the server says."""
        return (self.prompt_tokens or 0) + (self.new_tokens or 0)


def is_too_long(status: int, text: str) -> bool:
    """Whether a refusal is about the context's length."""
    return status in REFUSALS and TOO_LONG.search(text) is not None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
