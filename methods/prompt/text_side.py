"""The text side of methods that add more than text: a prompt method, chosen by name."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from methods.core.key import MethodKey
from methods.core.method import Method, MethodConfig
from tasks.common.errors import ConfigError

if TYPE_CHECKING:
    from methods.models.config import EncoderConfig, LLMConfig
    from methods.prompt.method import PromptMethod


class TextSideConfig(MethodConfig):
    """Options of a method whose prompts are written by a prompt method.

    Attributes:
        text, text_options: that method and its options; "bm25", for example, adds retrieval.
    """

    text: str = "zero-shot"
    text_options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_text_side(self) -> Self:
        self.text_side()
        return self

    def named_models(self) -> "list[LLMConfig | EncoderConfig]":
        """The method's own models and those of its text side."""
        return [*super().named_models(), *self.text_side()[1].named_models()]

    def text_side(self) -> "tuple[type[PromptMethod], MethodConfig]":
        """The prompt method and its options. Raises ConfigError where they are invalid."""
        from methods import METHODS
        from methods.prompt.method import PromptMethod

        method = METHODS.get(self.text)
        if not issubclass(method, PromptMethod):
            raise ConfigError(
                f"text = {self.text!r} is not a prompt method",
                hint='Choose one that writes prompts, such as "zero-shot", "bm25" or "dense"',
            )
        return method, method.parse_config(self.text_options, f"text_options of {self.text!r}")


def text_side_key(method: type[Method[Any]], config: TextSideConfig) -> MethodKey:
    """The key of a method with a text side: its own options, and the text side as a part."""
    text, options = config.text_side()
    own = config.key_options()
    del own["text"], own["text_options"]
    return MethodKey(method.name, method.version, own, {"text side": text.key(options)})
