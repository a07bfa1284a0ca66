"""LaMPTask: a task declared by the templates of its prompts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tasks.budget import LAMP, BudgetRule
from tasks.example import Behavior, Example, Prediction, Score
from tasks.scoring import DEFAULT_SCORING, Scoring
from tasks.task import Task, Tokenizer
from tasks.templates.fields import TextFields, is_missing, read_field
from tasks.templates.profile_prompt import cut_item, profile_prompt


class FormError(ValueError):
    """An input is not a prompt of the task; `hint` says how to fix its file."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class LaMPTask(Task):
    """A LaMP task, declared by templates (methods.md §3a).

    Class attributes:
        instruction: an input is `instruction` + " " + content, verbatim.
        lead: the first words of every input; they identify the task that a file belongs to.
        marker: the query is the stripped text after the first occurrence of this string.
        corpus_template: template of a behaviour's text over the fields of a profile item.
        content_field, response_field: the profile item's fields for content and response.
        item_template: template of an item prompt over {response} and {content}.
        ending: the text between the item prompts and the input.
        reserved_words: the words of `ending` for which the official budget reserves tokens.
        form_hint: how to fix a file whose inputs are not prompts of this task.
    """

    instruction: ClassVar[str]
    lead: ClassVar[str]
    marker: ClassVar[str]
    corpus_template: ClassVar[str] = "{text}"
    content_field: ClassVar[str] = "text"
    response_field: ClassVar[str | None] = None
    item_template: ClassVar[str]
    ending: ClassVar[str] = " . "
    reserved_words: ClassVar[str] = ""
    form_hint: ClassVar[str] = "Correct the input in this file"

    def query(self, input: str) -> str:
        _, marker, content = input.partition(self.marker)
        if not (marker and input.startswith(self.lead)):
            raise FormError(
                f"the input is not a {self.name} prompt: it doesn't start with {self.lead!r} "
                f"or doesn't contain {self.marker!r}",
                self.form_hint,
            )
        return content.strip()

    def behavior(self, raw: Mapping[str, Any]) -> Behavior:
        fields = TextFields(raw)
        return Behavior(
            id=read_field(raw, "id", numbers=True),
            text=self.corpus_template.format_map(fields),
            content=fields[self.content_field],
            response=(
                None
                if self.response_field is None
                else read_field(raw, self.response_field, numbers=True)
            ),
            date=None if is_missing(raw.get("date")) else read_field(raw, "date", numbers=True),
        )

    def item(self, behavior: Behavior, content: str) -> str:
        """The official item prompt of `behavior`, with `content` as its content."""
        return self.item_template.format(response=behavior.response, content=content)

    def demonstration(self, behavior: Behavior, tokens: int | None, tokenizer: Tokenizer) -> str:
        """The official item prompt, at most `tokens` tokens long.

        Raises ValueError if it doesn't fit even without content.
        """
        return cut_item(self.item, behavior, tokens, tokenizer)[0]

    def assemble(self, items: list[str], input: str) -> str:
        """Join item prompts and input into one prompt."""
        return f"{' , and '.join(items)}{self.ending}{input}"

    def reserve(self, tokenizer: Tokenizer) -> int:
        """The number of tokens that the official budget reserves for the words of `ending`."""
        return 1 + (tokenizer.count(self.reserved_words) if self.reserved_words else 0)

    def personalized_prompt(
        self,
        example: Example,
        behaviors: Sequence[Behavior],
        tokenizer: Tokenizer,
        max_length: int,
        rule: BudgetRule = LAMP,
    ) -> str:
        if not behaviors:
            return example.input
        return profile_prompt(
            example.input,
            behaviors,
            item=self.item,
            assemble=self.assemble,
            reserve=self.reserve(tokenizer),
            tokenizer=tokenizer,
            max_length=max_length,
            rule=rule,
        )

    def training_pairs(self, example: Example) -> list[tuple[str, str]]:
        """The history as examples of the task itself: instruction and content → response."""
        return [
            (f"{self.instruction} {behavior.content}", behavior.response)
            for behavior in example.history
            if behavior.response is not None
        ]

    def score(
        self,
        predictions: Sequence[Prediction],
        golds: Mapping[str, str],
        scoring: Scoring = DEFAULT_SCORING,
    ) -> dict[str, Score]:
        from tasks.metrics import choose, create, find_withheld

        withheld = find_withheld(self, scoring)
        return {
            name: create(name, self, scoring).score(predictions, golds)
            for name in choose(self, scoring)
            if name not in withheld
        }
