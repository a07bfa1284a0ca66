"""Prompts to token ids and back, cut to a budget without losing special tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

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

    Attributes:
        overhead: tokens that special tokens and the chat template add to a prompt's text.
        eos: id of the token that ends a response.
        pad: id that fills batches (always masked).

    Args:
        tokenizer: a PreTrainedTokenizerFast.
        chat_template: wrap each prompt as a user's message, up to the start of the answer.
        name: of the model, for messages.

    Raises:
        ModelError: the tokenizer has no fast version, no end-of-sequence token, or no chat template
            although `chat_template` is set.
    """

    def __init__(self, tokenizer: Any, *, chat_template: bool, name: str) -> None:
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
        if chat_template and not tokenizer.chat_template:
            raise ModelError(
                "the tokenizer has no chat template",
                file=name,
                hint="Set chat_template = false, or use the model's instruction-tuned version",
            )
        self._tokenizer = tokenizer
        self._chat_template = chat_template
        self.eos: int = tokenizer.eos_token_id
        pad = tokenizer.pad_token_id
        self.pad: int = self.eos if pad is None else pad
        self._counted: dict[bytes, int] = {}
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
        ends = [
            end
            for _, end in self._tokenizer(
                text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
            )["offset_mapping"]
        ]
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
        """The text of an answer, without special tokens and surrounding white space."""
        return self._tokenizer.decode(ids, skip_special_tokens=True).strip()

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
        if not self._chat_template:
            return self._tokenizer(list(prompts), verbose=False)["input_ids"]
        return self._text_ids(
            [
                self._tokenizer.apply_chat_template(
                    [{"role": "user", "content": prompt}],
                    tokenize=False,
                    add_generation_prompt=True,
                )
                for prompt in prompts
            ]
        )

    def _text_ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        return self._tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
