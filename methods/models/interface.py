"""What every LLM offers, wherever it runs: all that a prompt method needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from methods.models.config import LLMConfig
from methods.models.generation import Generation
from tasks.task import Tokenizer

if TYPE_CHECKING:
    import torch

    from methods.models.language_model import LanguageModel


class LLM(Protocol):
    """A frozen LLM that answers prompts: a `LanguageModel` in memory or a `ServedLLM`.

    A method that needs more than this reads it from `local` and says so (`Method.access`).
    """

    @property
    def identity(self) -> str:
        """Content key of everything that changes answers (`identity_of`)."""

    @property
    def weights(self) -> str:
        """Content key of what a trained part must match, whatever the decoding."""

    @property
    def name(self) -> str:
        """The name in messages and records."""

    @property
    def config(self) -> LLMConfig:
        """As in bench.toml."""

    @property
    def tokens(self) -> Tokenizer:
        """Counts and cuts texts, for the prompt budget."""

    @property
    def prompt_overhead(self) -> int:
        """Tokens that special tokens and the chat template add to a prompt's text."""

    @property
    def description(self) -> dict[str, Any]:
        """What a cell's record says about the LLM, as JSON."""

    @property
    def local(self) -> "LanguageModel":
        """The model with its weights. Raises ConfigError where they are not here."""

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        max_input_tokens: int,
        prefix: "torch.Tensor | None" = None,
    ) -> list[Generation]:
        """Answer each prompt, as `LanguageModel.generate`."""
