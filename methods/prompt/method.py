"""The base classes of methods that personalize through the prompt's text."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import PositiveInt
from typing_extensions import TypeVar

from methods.core.method import C, Method, MethodConfig
from methods.core.runtime import Runtime
from methods.retrieval import Retriever
from tasks.budget import QUERY_FIRST
from tasks.common.errors import DataError
from tasks.example import Behavior, Example, Prediction
from tasks.query_read import count_query
from tasks.task import Tokenizer

if TYPE_CHECKING:
    import torch

    from methods.models.contrast import Contrast


NOTHING_FITS = "no behaviour fits the prompt budget: plain input"
FEWER_FIT = "behaviours left out: they don't fit next to the whole query"


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of one example.

    Attributes:
        text: what the LLM reads; None where it can't be written.
        behaviors: ids of the behaviours in it, in prompt order.
        error: why there is no text.
        note: of the prediction.
    """

    text: str | None
    behaviors: tuple[str, ...] = ()
    error: str | None = None
    note: str | None = None


class PromptMethod(Method[C]):
    """A method that writes the frozen LLM's prompt. Override `prompt`, or only `behaviors`.

    A complete method, in a file of its own in methods/:

        from methods.prompt.method import PromptMethod
        from tasks import Example


        class Persona(PromptMethod):
            \"\"\"Shows the LLM the user's last answers.\"\"\"

            name = "persona"

            def prompt(self, example: Example) -> str:
                last = [behavior.response or behavior.text for behavior in example.history[-3:]]
                return f"My last answers: {'; '.join(last)}. {example.input}"

    If a single example is invalid, raise DataError, which becomes that prediction's error. Any
    other exception stops the cell.
    """

    predicts_in_parallel = True

    def __init__(self, config: C, runtime: Runtime) -> None:
        super().__init__(config, runtime)
        self._last: tuple[Example, Sequence[Behavior]] | None = None

    def prepare(self, examples: Sequence[Example]) -> None:
        """Compute in batches what `behaviors` and `prompt` need. Default: nothing."""

    def behaviors(self, example: Example) -> Sequence[Behavior]:  # noqa: ARG002
        """The behaviours to put into the prompt, in prompt order. Default: none."""
        return ()

    def prompt(self, example: Example) -> str:
        """The prompt. Default: the task's official profile prompt of `behaviors(example)`.

        If it exceeds `budget` tokens, its end is cut when the LLM reads it. Under the rule
        "query-first", the default drops the last behaviours until the others fit.
        """
        text, shown = fit_behaviors(
            self.runtime, example, self._choose(example), self.budget, self.runtime.llm.tokens
        )
        self._last = (example, shown)
        return text

    @property
    def budget(self) -> int:
        """Tokens for the prompt's text: the table's budget minus the LLM's special tokens."""
        return self.runtime.max_input_tokens - self.runtime.llm.prompt_overhead

    def prompts(self, examples: Sequence[Example]) -> list[Prompt]:
        """The prompts of `examples`, in their order; also used by methods with a text side."""
        self.prepare(examples)
        return [self._write(example) for example in examples]

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return self.answer(examples)

    def answer(
        self,
        examples: Sequence[Example],
        prefix: "torch.Tensor | None" = None,
        prompts: Sequence[Prompt] | None = None,
        contrast: "Contrast | None" = None,
    ) -> list[Prediction]:
        """Predictions for N examples.

        Args:
            prefix: [N, P, H] soft tokens before the prompts.
            prompts: of `examples`; None: they are written here.
            contrast: N other prompts that the answers are steered from.
        """
        prompts = self.prompts(examples) if prompts is None else prompts
        answerable = [row for row, prompt in enumerate(prompts) if prompt.text is not None]
        generations = self.runtime.ask(
            [prompts[row].text or "" for row in answerable],
            prefix=None if prefix is None else prefix[answerable],
            contrast=contrast and contrast.take(answerable),
        )
        answers = dict(zip(answerable, generations, strict=True))
        counts = {
            row: self.count_query(examples[row], prompts[row].text or "", answer.truncated_tokens)
            for row, answer in answers.items()
        }
        return [
            Prediction(
                id=example.id,
                text=answers[row].text if answers[row].error is None else None,
                behaviors=prompts[row].behaviors,
                prompt_tokens=answers[row].prompt_tokens,
                truncated_tokens=answers[row].truncated_tokens,
                new_tokens=answers[row].new_tokens,
                error=answers[row].error,
                note=prompts[row].note or answers[row].note,
                query_tokens=counts[row][0],
                query_tokens_cut=counts[row][1],
            )
            if row in answers
            else Prediction(example.id, None, error=prompts[row].error)
            for row, example in enumerate(examples)
        ]

    def count_query(self, example: Example, text: str, truncated: int = 0) -> tuple[int, int]:
        """(tokens of the query, how many of them the LLM doesn't read).

        Args:
            text: of the prompt.
            truncated: tokens that the LLM cut off its end.
        """
        tokens = self.runtime.llm.tokens
        read = tokens.truncate(text, tokens.count(text) - truncated) if truncated else text
        return count_query(self.task, example, read, tokens)

    def _write(self, example: Example) -> Prompt:
        try:
            chosen, text = self._choose(example), self.prompt(example)
        except DataError as error:
            return Prompt(None, error=str(error))
        if chosen and is_plain(example, text):
            return Prompt(text, note=NOTHING_FITS)
        shown = self._choose(example)  # `prompt` may have dropped some
        note = FEWER_FIT if len(shown) < len(chosen) else None
        return Prompt(text, tuple(behavior.id for behavior in shown), note=note)

    def _choose(self, example: Example) -> Sequence[Behavior]:
        """`behaviors(example)`, computed once for the prompt and its record."""
        if self._last is None or self._last[0] is not example:
            self._last = (example, self.behaviors(example))
        return self._last[1]


def fit_behaviors(
    runtime: Runtime,
    example: Example,
    behaviors: Sequence[Behavior],
    budget: int,
    tokens: Tokenizer,
) -> tuple[str, Sequence[Behavior]]:
    """The official profile prompt of at most `budget` tokens, and the behaviours in it.

    Under the rule "query-first", the last behaviours are dropped until the others fit. If nothing
    fits, the prompt is the plain input, and all behaviours are returned.
    """
    task, rule = runtime.task, runtime.budget_rule
    fewest = 1 if rule == QUERY_FIRST else len(behaviors)
    for kept in range(len(behaviors), fewest - 1, -1):
        text = task.personalized_prompt(example, behaviors[:kept], tokens, budget, rule)
        if not is_plain(example, text):
            return text, behaviors[:kept]
    return task.personalized_prompt(example, behaviors, tokens, budget, rule), behaviors


def is_plain(example: Example, text: str) -> bool:
    """Whether a prompt is the plain input, or a beginning of it, and so shows no behaviour."""
    return example.input.startswith(text)


class RetrievalConfig(MethodConfig):
    """Options of every retrieval method.

    Attributes:
        k: number of behaviours in the prompt (methods.md §2a); fewer where the history is shorter.
    """

    k: PositiveInt = 4


R = TypeVar("R", bound=RetrievalConfig, default=RetrievalConfig)


class RetrievalMethod(PromptMethod[R]):
    """The `k` best behaviours of a retriever in the official profile prompt, best first."""

    @abstractmethod
    def open_retriever(self) -> Retriever:
        """Open the retriever; called once, at first use."""

    @cached_property
    def retriever(self) -> Retriever:
        """The method's retriever."""
        return self.open_retriever()

    def prepare(self, examples: Sequence[Example]) -> None:
        self.retriever.prepare(examples)

    def behaviors(self, example: Example) -> Sequence[Behavior]:
        return self.retriever.top(example, self.config.k)
