"""Methods that personalize by what they write into the prompt."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import PositiveInt

from methods.core.method import Method, MethodConfig
from methods.core.runtime import Runtime
from methods.retrieval import Retriever
from tasks.common.errors import DataError
from tasks.example import Behavior, Example, Prediction

if TYPE_CHECKING:
    import torch


NOTHING_FITS = "no behaviour fits the prompt budget: plain input"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the LLM will read for one example.

    Attributes:
        text: the prompt, or None where it can't be made.
        behaviors: ids of the behaviours in it, in prompt order.
        error: why there is no text.
        note: for the prediction, see there.
    """

    text: str | None
    behaviors: tuple[str, ...] = ()
    error: str | None = None
    note: str | None = None


class PromptMethod(Method):
    """A method that puts text before a frozen LLM. Override `prompt`, or just `behaviors`.

    A complete method, in a file of its own in methods/:

        from methods.prompt.method import PromptMethod
        from tasks import Example


        class Persona(PromptMethod):
            \"\"\"Tells the LLM what the user's last answers were.\"\"\"

            name = "persona"

            def prompt(self, example: Example) -> str:
                last = [behavior.response or behavior.text for behavior in example.history[-3:]]
                return f"My last answers: {'; '.join(last)}. {example.input}"

    Where something is wrong with one example alone, raise DataError: it becomes that prediction's
    error. Any other exception stops the cell.
    """

    def __init__(self, config: MethodConfig, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._last: tuple[Example, Sequence[Behavior]] | None = None

    def prepare(self, examples: Sequence[Example]) -> None:
        """Do in one go what `behaviors` and `prompt` will need for `examples`. Default: nothing."""

    def behaviors(self, example: Example) -> Sequence[Behavior]:  # noqa: ARG002
        """The behaviours to put into the prompt, in prompt order. Default: none."""
        return ()

    def prompt(self, example: Example) -> str:
        """The prompt. Default: the task's official profile prompt of `behaviors(example)`.

        Longer than `budget` tokens, it is cut at its end when the LLM reads it.
        """
        return self.task.personalized_prompt(
            example, self._chosen(example), self.runtime.llm.tokens, self.budget
        )

    @property
    def budget(self) -> int:
        """Tokens for the prompt's text: the table's budget less the LLM's own special tokens."""
        return self.runtime.max_input_tokens - self.runtime.llm.prompt_overhead

    def prompts(self, examples: Sequence[Example]) -> list[Prompt]:
        """The prompts of `examples`, in their order: the text side of a PrefixMethod too."""
        self.prepare(examples)
        return [self._prompt(example) for example in examples]

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return self.answer(examples)

    def answer(
        self,
        examples: Sequence[Example],
        prefix: "torch.Tensor | None" = None,
        prompts: Sequence[Prompt] | None = None,
    ) -> list[Prediction]:
        """Predictions for N examples, with soft tokens [N, P, H] before the prompts if given.

        `prompts`: those of `examples`, where they were made before.
        """
        prompts = self.prompts(examples) if prompts is None else prompts
        made = [row for row, prompt in enumerate(prompts) if prompt.text is not None]
        generations = self.runtime.llm.generate(
            [prompts[row].text or "" for row in made],
            max_new_tokens=self.task.max_new_tokens,
            max_input_tokens=self.runtime.max_input_tokens,
            prefix=None if prefix is None else prefix[made],
        )
        answers = dict(zip(made, generations, strict=True))
        return [
            Prediction(
                id=example.id,
                text=answers[row].text,
                behaviors=prompts[row].behaviors,
                prompt_tokens=answers[row].prompt_tokens,
                truncated_tokens=answers[row].truncated_tokens,
                new_tokens=answers[row].new_tokens,
                note=prompts[row].note,
            )
            if row in answers
            else Prediction(example.id, None, error=prompts[row].error)
            for row, example in enumerate(examples)
        ]

    def _prompt(self, example: Example) -> Prompt:
        try:
            chosen, text = self._chosen(example), self.prompt(example)
        except DataError as error:
            return Prompt(None, error=str(error))
        if chosen and text == example.input:
            return Prompt(text, note=NOTHING_FITS)
        return Prompt(text, tuple(behavior.id for behavior in chosen))

    def _chosen(self, example: Example) -> Sequence[Behavior]:
        """`behaviors(example)`, asked once for the prompt and its record."""
        if self._last is None or self._last[0] is not example:
            self._last = (example, self.behaviors(example))
        return self._last[1]


class RetrievalConfig(MethodConfig):
    """`k`: behaviours in the prompt (methods.md §2a); fewer where the history is shorter."""

    k: PositiveInt = 4


class RetrievalMethod(PromptMethod):
    """The `k` best behaviours of a retriever in the official profile prompt, best first."""

    Config: ClassVar[type[MethodConfig]] = RetrievalConfig
    config: RetrievalConfig

    @abstractmethod
    def open_retriever(self) -> Retriever:
        """The retriever; called once, when it is first needed."""

    @cached_property
    def retriever(self) -> Retriever:
        """The method's retriever."""
        return self.open_retriever()

    def prepare(self, examples: Sequence[Example]) -> None:
        self.retriever.prepare(examples)

    def behaviors(self, example: Example) -> Sequence[Behavior]:
        return self.retriever.top(example, self.config.k)
