"""An LLM behind an endpoint, with the interface that prompt methods know."""

import copy
import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from methods.cache.journal import Journal
from methods.models.config import LLMConfig
from methods.models.generation import Generation
from methods.models.reasoning import cut_reasoning
from methods.models.served import embeds as wire
from methods.models.served.answers import Answer, TooLongError
from methods.models.served.counts import Counts
from methods.models.served.dialects import DIALECTS, chat_body, completion_body, embeds_body
from methods.models.served.http import Server
from methods.models.served.queue import Forget, Request, RequestQueue
from methods.models.served.tokens import EstimatedTokenizer, find_tokenizer, write_as_text
from methods.models.tokenization import EncodedPrompt, PromptTokenizer
from tasks.common.errors import ConfigError, ModelError
from tasks.common.files import content_key

if TYPE_CHECKING:
    import torch

    from methods.models.language_model import LanguageModel

VERSION = 1
"""Increase it to invalidate all kept answers."""
KEY_DIGITS = 32
EMPTY = "the answer is empty: its token budget was used up"
AS_TEXT = (
    "the prompt can't be sent as text, since the server would read other tokens: use a server and "
    "dialect that take token ids"
)


class ServedLLM:
    """A frozen LLM that a server runs. Every answer is kept, and no request is sent twice.

    With the model's own tokenizer, prompts are cut, counted and put into the chat template here.
    Without it, they go to the chat endpoint and lengths are estimated.

    Attributes:
        identity: content key of everything known here that changes answers (`identity_of`).
        tokens: the model's tokenizer, or an `EstimatedTokenizer`.
        counts: of the answers since this view was opened.

    Args:
        key: content key of what is known of the model, without decoding (`weights_key`).
        cache_folder: keeps the answers; None: none is kept.
        weights: opens the same model here, to train soft tokens on; None: not configured.

    Raises:
        ConfigError: the variable that holds the API key isn't set.
        ModelError: the tokenizer can't be found or used.
    """

    def __init__(
        self,
        config: LLMConfig,
        identity: str,
        *,
        key: str,
        cache_folder: Path | None,
        weights: "Callable[[], LanguageModel] | None" = None,
    ) -> None:
        assert config.endpoint is not None  # noqa: S101  the caller's decision
        served = config.served_options
        self.config, self.identity, self.name = config, identity, config.name
        self.weights = key
        self.dialect = DIALECTS[served.dialect]
        source = served.tokenizer or served.weights
        self.tokens: PromptTokenizer | EstimatedTokenizer = EstimatedTokenizer()
        self._tokenizer: Any = None
        if source is not None:
            self._tokenizer = _load_tokenizer(find_tokenizer(source, config.revision))
            self.tokens = PromptTokenizer(
                self._tokenizer,
                chat_template=config.chat_template,
                name=source,
                system_prompt=config.system_prompt,
                template_options=config.chat_template_options,
                cuts_reasoning=config.reasoning == "cut",
                ends_prompts=False,
            )
        self.server = Server(
            config.endpoint,
            key=_read_key(served.api_key_env),
            timeout=served.timeout,
            give_up_after=served.give_up_after,
            concurrency=served.concurrency,
        )
        self.queue = RequestQueue(
            self.server,
            _open_journal(cache_folder, identity),
            concurrency=served.concurrency,
            max_requests=served.max_requests,
            max_tokens=served.max_tokens_total,
            check=self._check,
        )
        self._open_local = None if weights is None else cache(weights)
        self._probed = cache(self._probe)
        self.counts = Counts()
        self._sent = (0, 0)

    def recount(self) -> Self:
        """The same LLM with counts that begin at zero, for one cell."""
        view = copy.copy(self)
        view.counts = Counts()
        view._sent = (self.server.attempts, self.server.retries)
        return view

    @property
    def prompt_overhead(self) -> int:
        """Tokens that special tokens and the template add; 0 where the server adds them."""
        return self.tokens.overhead if isinstance(self.tokens, PromptTokenizer) else 0

    @property
    def local(self) -> "LanguageModel":
        """The same model on weights here. Raises ConfigError if bench.toml names none."""
        if self._open_local is None:
            raise ConfigError(
                f"the method needs weights, and {self.name} is served",
                hint="Take an LLM that runs here, or name the same model's `served.weights` for "
                "soft tokens on a server that takes prompt embeddings",
            )
        return self._open_local()

    @property
    def description(self) -> dict[str, Any]:
        """What a cell's record says about the LLM, as JSON; counts are of this view."""
        served, own = self.config.served_options, self._tokenizer is not None
        attempts, retries = self._sent
        return {
            "name": self.name,
            "identity": self.identity,
            "endpoint": self.config.endpoint,
            "dialect": served.dialect,
            "template": "own" if own else "server",
            "tokens": "of the model's tokenizer" if own else "estimated",
            "tokenizer": served.tokenizer,
            "weights": served.weights,
            "revision": self.config.revision,
            "num_beams": 1,
            **self.counts.to_json(),
            "requests": self.server.attempts - attempts,
            "retries": self.server.retries - retries,
        }

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        max_input_tokens: int,
        prefix: "torch.Tensor | None" = None,
    ) -> list[Generation]:
        """Answer each prompt greedily, as `LanguageModel.generate`.

        A prompt that the server's context doesn't hold has a generation with an error.

        Args:
            prefix: [N, P, H] soft tokens, sent with the prompts' embeddings.

        Raises:
            ModelError: the server can't be reached, refuses, reads another number of tokens than
                were sent, names another model, or a cap is reached; its answers so far are kept.
        """
        if prefix is not None:
            self._probed()
        limit = self.config.decoding.max_new_tokens or max_new_tokens
        if isinstance(self.tokens, PromptTokenizer):
            encoded = self.tokens.encode(prompts, max_input_tokens)
            requests = [
                self._request_ids(prompt.ids, limit)
                if prefix is None
                else self._request_embeds(prompt.ids, prefix[row], limit)
                for row, prompt in enumerate(encoded)
            ]
        else:
            encoded, requests = self._request_chats(prompts, max_input_tokens, limit)
        found, known = self.queue.ask([request for request in requests if request is not None])
        return [
            Generation("", len(prompt.ids), prompt.truncated, 0, error=AS_TEXT)
            if request is None
            else self._generation(prompt, found[request.key], reused=request.key in known)
            for prompt, request in zip(encoded, requests, strict=True)
        ]

    def _request_ids(self, ids: list[int], limit: int) -> Request | None:
        """A prompt of the model's own tokens; None where it can't be sent as text."""
        prompt = ids if self.dialect.token_ids else write_as_text(self._tokenizer, ids)
        if prompt is None:
            return None
        extra = self.config.served_options.extra
        body = completion_body(self.dialect, self.name, prompt, limit, extra)
        return _request("completions", body, len(ids), len(ids) + limit)

    def _request_embeds(self, ids: list[int], prefix: "torch.Tensor | None", limit: int) -> Request:
        """A prompt as embeddings, behind soft tokens [P, H]."""
        embeds = wire.join(self.local, ids, prefix)
        write = partial(
            embeds_body,
            self.dialect,
            self.name,
            max_tokens=limit,
            extra=self.config.served_options.extra,
        )
        key = content_key(["completions", write(embeds=wire.digest(embeds))], KEY_DIGITS)
        read = embeds.shape[0]
        return Request(
            key, "completions", lambda: write(embeds=wire.encode(embeds)), read, read + limit
        )

    def _request_chats(
        self, prompts: Sequence[str], max_input_tokens: int, limit: int
    ) -> tuple[list[EncodedPrompt], list[Request | None]]:
        """Prompts for the server's own template, cut by estimate; the ids are placeholders."""
        encoded, requests = [], list[Request | None]()
        for prompt in prompts:
            text = self.tokens.truncate(prompt, max_input_tokens)
            read = self.tokens.count(text)
            encoded.append(EncodedPrompt([0] * read, self.tokens.count(prompt) - read))
            extra = self.config.served_options.extra
            system = self.config.system_prompt
            body = chat_body(self.dialect, self.name, text, limit, extra, system)
            requests.append(_request("chat/completions", body, None, read + limit))
        return encoded, requests

    def _generation(
        self, prompt: EncodedPrompt, found: Answer | TooLongError, *, reused: bool
    ) -> Generation:
        read = len(prompt.ids)
        if isinstance(found, TooLongError):
            self.counts.too_long += 1
            return Generation("", read, prompt.truncated, 0, error=str(found))
        self.counts.add(found, reused=reused)
        if self._tokenizer is None and found.prompt_tokens is not None:
            read = found.prompt_tokens
        new = self.tokens.count(found.text) if found.new_tokens is None else found.new_tokens
        note = EMPTY if found.is_cut_empty else None
        cuts = self.config.chat_template and self.config.reasoning == "cut"
        text = cut_reasoning(found.text) if cuts else found.text
        return Generation(text, read, prompt.truncated, new, note=note)

    def _check(self, request: Request, answer: Answer) -> None:
        """Raise ModelError where another model answered, or one that read other tokens."""
        name = (answer.model or self.name).removesuffix("@main")  # the hub's branch
        if self.dialect.names_model and name != self.name:
            raise ModelError(
                f"was asked for {self.name} and answers as {name}",
                file=self.config.endpoint,
                hint="Correct `model`, the server's name of the model",
            )
        if request.read is not None and answer.prompt_tokens not in {None, request.read}:
            raise ModelError(
                f"read {answer.prompt_tokens} tokens of a prompt of {request.read}",
                file=self.config.endpoint,
                hint="Name the served model's own tokenizer, and the server's dialect",
            )

    def _probe(self) -> None:
        """Ask one text as token ids and as embeddings; raise ModelError if answers differ."""
        assert isinstance(self.tokens, PromptTokenizer)  # noqa: S101  the weights bring it
        if self.local.is_encoder_decoder:
            raise ModelError(
                "servers take prompt embeddings of decoder-only models only",
                file=self.name,
                hint="Take an LLM that runs here",
            )
        (prompt,) = self.tokens.encode([wire.PROBE], self.prompt_overhead + 64)
        by_ids = self._request_ids(prompt.ids, wire.PROBE_TOKENS)
        assert by_ids is not None  # noqa: S101  vLLM takes token ids
        by_embeds = self._request_embeds(prompt.ids, None, wire.PROBE_TOKENS)
        found, _ = self.queue.ask([by_ids, by_embeds])
        texts = [getattr(found[request.key], "text", None) for request in (by_ids, by_embeds)]
        if texts[0] != texts[1] or texts[0] is None:
            raise ModelError(
                f"answers {texts[0]!r} to token ids and {texts[1]!r} to the same tokens' "
                "embeddings",
                file=self.config.endpoint,
                hint="Name the served model's own `weights`, and start the server with "
                "--enable-prompt-embeds",
            )


def _open_journal(cache_folder: Path | None, identity: str) -> Journal | Forget:
    if cache_folder is None:
        return Forget()
    return Journal(cache_folder / "served" / f"{identity}-{VERSION}" / "answers.jsonl")


def _request(path: str, body: dict[str, Any], read: int | None, most: int) -> Request:
    return Request(content_key([path, body], KEY_DIGITS), path, lambda: body, read, most)


def _read_key(variable: str | None) -> str | None:
    """The API key from the environment. Raises ConfigError where the variable isn't set."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"the environment variable {variable}, which `served.api_key_env` names, isn't set",
            hint=f"Set it to the API key: export {variable}=…",
        )
    if not key.isascii() or not key.isprintable():
        raise ConfigError(
            f"the environment variable {variable} holds something else than an API key",
            hint="Set it to the key alone",
        )
    return key


def _load_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, OSError, KeyError, ImportError) as error:
        raise ModelError(
            f"the tokenizer can't be loaded ({(str(error) or repr(error)).splitlines()[0]})",
            file=folder,
            hint="Fetch the files again",
        ) from error
