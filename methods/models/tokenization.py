"""Prompts to token ids and back, cut to a budget without losing special tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from methods.models import reasoning
from methods.models.chat_template import ChatTemplate
from methods.models.data_tokens import DataTokenizer
from tasks.common.errors import ConfigError, ModelError

COUNTED = 1 << 16
"""Number of texts whose token count is cached, by hash: no text is stored."""


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """The ids that the LLM reads, and the number of tokens cut off the prompt's text."""

    ids: list[int]
    truncated: int


class PromptTokenizer:
    """A Hugging Face fast tokenizer with the interface of `tasks.Tokenizer`.

    Texts are data: whatever a user wrote, no control token comes of it (`DataTokenizer`).

    Attributes:
        overhead: tokens that special tokens and the chat template add to a prompt's text.
        eos: id of the token that ends a response.
        pad: id that fills batches (always masked).

    Args:
        tokenizer: a PreTrainedTokenizerFast.
        chat_template: wrap each prompt as a user's message, up to the start of the answer.
        name: of the model, for messages.
        system_prompt, template_options: of the chat template.
        cuts_reasoning: whether an answer given under a chat template loses its reasoning.
        ends_prompts: whether a prompt keeps the end-of-sequence token that the tokenizer puts
            behind every text: an encoder reads it, a decoder-only LLM would take its prompt for
            finished.

    Raises:
        ModelError: the tokenizer has no fast version, no end-of-sequence token, or no chat template
            although `chat_template` is set; or the template refuses its options.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        chat_template: bool,
        name: str,
        system_prompt: str | None = None,
        template_options: Mapping[str, Any] | None = None,
        cuts_reasoning: bool = True,
        ends_prompts: bool = True,
    ) -> None:
        if not tokenizer.is_fast:
            raise ModelError(
                "the tokenizer has no fast version",
                file=name,
                hint="Put a tokenizer.json next to the weights",
            )
        if tokenizer.eos_token_id is None:
            raise ModelError(
                "the tokenizer has no end-of-sequence token",
                file=name,
                hint="Set eos_token in tokenizer_config.json",
            )
        self._template = (
            ChatTemplate(tokenizer, name, system_prompt, template_options or {})
            if chat_template
            else None
        )
        self._tokenizer = tokenizer
        self._data = DataTokenizer(tokenizer, self._template.source if self._template else "")
        self._cuts_reasoning = chat_template and cuts_reasoning
        self.eos: int = tokenizer.eos_token_id
        pad = tokenizer.pad_token_id
        self.pad: int = self.eos if pad is None else pad
        self._counted: dict[bytes, int] = {}
        self._dropped = 0 if ends_prompts else self._count_ends()
        self.overhead = len(self._prompt_ids(["x"])[0]) - self.count("x")

    def count(self, text: str) -> int:
        """Number of tokens of `text`, without special tokens and template."""
        # Cached, because every query and method with the same behaviours counts them.
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key not in self._counted:
            if len(self._counted) == COUNTED:
                self._counted.clear()
            self._counted[key] = len(self._text_ids([text])[0])
        return self._counted[key]

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` within `tokens` tokens ("" where tokens ≤ 0)."""
        ends = self._data.token_ends(text)
        if len(ends) <= tokens:
            return text
        # Text cut inside a word or character may tokenize into more tokens than it was cut at.
        for kept in range(tokens, 0, -1):
            cut = text[: ends[kept - 1]]
            if self.count(cut) <= tokens:
                return cut
        return ""

    def encode(self, prompts: Sequence[str], max_tokens: int) -> list[EncodedPrompt]:
        """Ids of each prompt, at most `max_tokens`.

        Only the end of a prompt's own text is cut, never its template or end-of-sequence token.

        Raises:
            ConfigError: `max_tokens` leaves no room for any text.
        """
        if max_tokens <= self.overhead:
            raise ConfigError(
                f"max_input_tokens = {max_tokens} leaves no room for text next to the "
                f"{self.overhead} tokens of template and special tokens",
                hint="Raise max_input_tokens",
            )
        return [
            EncodedPrompt(ids or [self.eos], 0)
            if len(ids) <= max_tokens
            else self._shorten(prompt, max_tokens)
            for prompt, ids in zip(prompts, self._prompt_ids(prompts), strict=True)
        ]

    def encode_responses(self, responses: Sequence[str], max_tokens: int) -> list[list[int]]:
        """Ids of each response plus the end-of-sequence token, at most `max_tokens` together."""
        return [[*ids[: max_tokens - 1], self.eos] for ids in self._text_ids(responses)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer, without special tokens, reasoning and surrounding white space."""
        if not self._cuts_reasoning:
            return self._decode(ids)
        opened, ids = self._opens_reasoning, list(ids)
        for place in range(len(ids) - 1, -1, -1):  # tags may be special tokens, which aren't shown
            if ids[place] in self._reasoning_ids:
                opened = ids[place] == self._reasoning_ids[0]
                ids = ids[place + 1 :]
                break
        return reasoning.cut_reasoning(self._decode(ids), opened=opened)

    def _decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True).strip()

    @cached_property
    def _reasoning_ids(self) -> list[int]:
        """Ids of the opening and the closing tag, where the tokenizer has a token for each."""
        added = self._tokenizer.get_added_vocab()
        tags = (reasoning.OPEN, reasoning.CLOSE)
        return [added[tag] for tag in tags] if all(tag in added for tag in tags) else []

    @cached_property
    def _opens_reasoning(self) -> bool:
        return self._template is not None and reasoning.is_open(self._template.render("x"))

    def _shorten(self, prompt: str, max_tokens: int) -> EncodedPrompt:
        for budget in range(max_tokens - self.overhead, -1, -1):
            text = self.truncate(prompt, budget)
            ids = self._prompt_ids([text])[0]
            if len(ids) <= max_tokens:
                return EncodedPrompt(ids, self.count(prompt) - self.count(text))
        raise AssertionError("an empty prompt fits every budget above the overhead")

    def _prompt_ids(self, prompts: Sequence[str]) -> list[list[int]]:
        if not prompts:
            return []
        if self._template is None:
            found = self._data.encode(prompts, special=True)
            return [ids[: len(ids) - self._dropped] for ids in found]
        guard, render = self._data.guard, self._template.render
        rendered = [render(guard(prompt), guard) for prompt in prompts]
        return self._data.encode_marked([self._data.mark(text) for text in rendered])

    def _count_ends(self) -> int:
        """Number of end tokens that the tokenizer puts behind a text."""
        plain, framed = self._data.encode(["x"])[0], self._data.encode(["x"], special=True)[0]
        ends = {self.eos, self._tokenizer.sep_token_id}
        count = 0
        while (kept := framed[: len(framed) - count]) not in ([], plain) and kept[-1] in ends:
            count += 1
        return count

    def _text_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return self._data.encode(texts)
