"""What servers that speak OpenAI's protocol differ in, and the body of a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from methods.models.config import DialectName


@dataclass(frozen=True)
class Dialect:
    """One kind of server.

    Attributes:
        token_ids: /completions takes a prompt as token ids, so that nobody adds a second
            beginning-of-sequence token; otherwise the prompt is sent as text.
        names_model: replies repeat the name that the request gave, so another one is an error.
        greedy: fields that, with temperature 0, switch off what the model's own generation
            settings may add (law 2).
    """

    token_ids: bool = False
    names_model: bool = False
    greedy: Mapping[str, Any] = field(default_factory=dict)


DIALECTS: dict[DialectName, Dialect] = {
    "generic": Dialect(),
    "vllm": Dialect(
        token_ids=True,
        names_model=True,
        # vLLM takes defaults from the model's generation_config.json unless a request says more.
        greedy={"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0},
    ),
    "sglang": Dialect(
        token_ids=True, names_model=True, greedy={"top_p": 1.0, "repetition_penalty": 1.0}
    ),
    # Reusing a cached prompt changes rounding, and so answers, with the order of requests.
    "llamacpp": Dialect(token_ids=True, greedy={"repeat_penalty": 1.0, "cache_prompt": False}),
    "transformers": Dialect(names_model=True),
}

Content = str | Sequence[int]


def completion_body(
    dialect: Dialect, model: str, prompt: Content, max_tokens: int, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """A request to /completions: the prompt with its template, as token ids or text."""
    return _body(dialect, model, max_tokens, extra) | {
        "prompt": prompt if isinstance(prompt, str) else list(prompt)
    }


def embeds_body(
    dialect: Dialect, model: str, embeds: str, max_tokens: int, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """A request to /completions with prompt embeddings (`served.embeds`).

    It has no `prompt`: a server that doesn't know `prompt_embeds` must fail, not answer half.
    """
    return _body(dialect, model, max_tokens, extra) | {"prompt_embeds": embeds}


def chat_body(
    dialect: Dialect,
    model: str,
    prompt: str,
    max_tokens: int,
    extra: Mapping[str, Any],
    system_prompt: str | None = None,
) -> dict[str, Any]:
    """A request to /chat/completions: the server applies its own template."""
    system = [] if system_prompt is None else [{"role": "system", "content": system_prompt}]
    messages = [*system, {"role": "user", "content": prompt}]
    return _body(dialect, model, max_tokens, extra) | {"messages": messages}


def _body(
    dialect: Dialect, model: str, max_tokens: int, extra: Mapping[str, Any]
) -> dict[str, Any]:
    greedy = {"temperature": 0, **dialect.greedy}
    return {"model": model, "max_tokens": max_tokens, "stream": False} | greedy | dict(extra)
