"""The text side of methods that add something else to a prompt: any prompt method, by name."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from methods.core.method import MethodConfig
from tasks.common.errors import ConfigError

if TYPE_CHECKING:
    from methods.models.config import EncoderConfig, LLMConfig
    from methods.prompt.method import PromptMethod


class TextSideConfig(MethodConfig):
    """Options of a method whose prompts another method writes.

    Attributes:
        text, text_options: the prompt method and its options; with "bm25" it is retrieval besides.
    """

    text: str = "zero-shot"
    text_options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _text_side_exists(self) -> Self:
        self.text_side()
        return self

    def named_models(self) -> "list[LLMConfig | EncoderConfig]":
        """Its own and the text side's."""
        return [*super().named_models(), *self.text_side()[1].named_models()]

    def text_side(self) -> "tuple[type[PromptMethod], MethodConfig]":
        """The prompt method on the text side and its options. Raises ConfigError: wrong ones."""
        from methods import METHODS
        from methods.prompt.method import PromptMethod

        method = METHODS.get(self.text)
        if not issubclass(method, PromptMethod):
            raise ConfigError(
                f"text = {self.text!r} is not a prompt method",
                hint='Choose one that writes prompts, such as "zero-shot", "bm25" or "dense"',
            )
        return method, method.parse_config(self.text_options, f"text_options of {self.text!r}")
