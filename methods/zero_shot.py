"""The frozen LLM without any personalization."""

from methods.core.method import MethodConfig
from methods.prompt.method import PromptMethod


class ZeroShot(PromptMethod):
    """The official prompt without any history ("non-personalized", methods.md §2a)."""

    name = "zero-shot"
    seeded = False

    @classmethod
    def is_personal(cls, config: MethodConfig) -> bool:  # noqa: ARG003
        return False
