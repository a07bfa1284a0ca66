"""A prompt as a user's message in the tokenizer's chat template, up to the start of the answer."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import TemplateError

from tasks.common.errors import ModelError


class ChatTemplate:
    """The tokenizer's own template with fixed options.

    Attributes:
        source: in Jinja.

    Args:
        name: of the model, for messages.
        system: the system's message before the user's; None: whatever the template does without.
        options: variables of the template, such as `enable_thinking`.

    Raises:
        ModelError: there is no template, it has no variable of an option's name, or it refuses the
            system's message.
    """

    def __init__(
        self, tokenizer: Any, name: str, system: str | None, options: Mapping[str, Any]
    ) -> None:
        if not tokenizer.chat_template:
            raise ModelError(
                "the tokenizer has no chat template",
                file=name,
                hint="Set chat_template = false, or use the model's instruction-tuned version",
            )
        self._tokenizer, self._system, self._options = tokenizer, system, dict(options)
        self.source: str = tokenizer.get_chat_template()
        for option in options:
            if not re.search(rf"\b{re.escape(option)}\b", self.source):
                raise ModelError(
                    f"the chat template has no option {option!r}",
                    file=name,
                    hint="Correct or remove chat_template_options; an option is a variable that "
                    "the template reads",
                )
        try:
            rendered = self.render("x")
        except TemplateError as error:
            raise ModelError(
                f"the chat template can't be used ({error})",
                file=name,
                hint="Correct or remove system_prompt and chat_template_options",
            ) from error
        if system is not None and system.strip() not in rendered:
            raise ModelError(
                "the chat template leaves out the system prompt",
                file=name,
                hint="Remove system_prompt; put its words into the task's prompt",
            )

    def render(self, prompt: str, guard: Callable[[str], str] = str) -> str:
        """The whole text that the LLM reads.

        Args:
            prompt: the user's message, guarded.
            guard: applied to the system's message, which is text as well.
        """
        messages = [{"role": "user", "content": prompt}]
        if self._system is not None:
            messages.insert(0, {"role": "system", "content": guard(self._system)})
        rendered: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, **self._options
        )
        return rendered
