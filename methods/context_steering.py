"""Answers steered by what the user's items change (Context Steering, arXiv 2405.01768)."""

from collections.abc import Sequence
from functools import cached_property

from methods.core.controls import ShuffledUser
from methods.core.key import MethodKey
from methods.core.method import Method
from methods.models.access import Access
from methods.prompt.method import PromptMethod
from methods.prompt.text_side import TextSideConfig, text_side_key
from tasks.example import Example, Prediction


class ContextSteeringConfig(TextSideConfig):
    """Options of context-steering and user-steering.

    Attributes:
        text: writes the prompts with the user's items.
        strength: λ. 0 is the text side alone, −1 the plain prompts; the paper sets it by hand.
    """

    text: str = "dense"
    strength: float = 0.5


class ContextSteering(Method[ContextSteeringConfig]):
    """Raises, at each token, what the user's items make more likely than the plain prompt does.

    log p ∝ log p(y | C, x) + λ [log p(y | C, x) − log p(y | x)], where C are the items in the
    prompt (arXiv 2405.01768, equation 1; released code: `cos/core.py`). Nothing is trained or
    stored; each answer costs a second reading.
    """

    name = "context-steering"
    seeded = False
    uses_encoder = True

    @classmethod
    def access(cls, config: ContextSteeringConfig) -> Access:  # noqa: ARG003
        """The probabilities of all tokens."""
        return Access.WEIGHTS

    @classmethod
    def key(cls, config: ContextSteeringConfig) -> MethodKey:
        return text_side_key(cls, config)

    @classmethod
    def is_personal(cls, config: ContextSteeringConfig) -> bool:
        text, options = config.text_side()
        return text.is_personal(options)

    @cached_property
    def text_side(self) -> PromptMethod:
        """Writes the prompts with items."""
        method, config = self.config.text_side()
        return method(config, self.runtime)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        from methods.models.contrast import Contrast

        others = self.write_others(examples)
        prompts = self.text_side.prompts(examples)
        contrast = Contrast(others, self.config.strength)
        return self.text_side.answer(examples, prompts=prompts, contrast=contrast)

    def write_others(self, examples: Sequence[Example]) -> list[str]:
        """The prompts that answers are steered from: here, without items."""
        return [example.input for example in examples]


class UserSteering(ContextSteering):
    """The same, steered from another user's items instead of none.

    What both users' items have in common, such as the form of an answer, cancels out; what is left
    is what sets the two apart. Not in the paper. The other user is drawn as for the control
    "shuffled-user", from the train set.
    """

    name = "user-steering"
    seeded = True

    def write_others(self, examples: Sequence[Example]) -> list[str]:
        seeds = self.runtime.seeds.child(self.name)
        swapped = ShuffledUser(self.runtime.population, seeds)(examples)
        prompts = self.text_side.prompts(swapped)
        return [
            example.input if prompt.text is None else prompt.text
            for example, prompt in zip(examples, prompts, strict=True)
        ]
